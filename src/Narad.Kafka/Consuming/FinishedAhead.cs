using System.Globalization;
using System.Numerics;
using System.Runtime.InteropServices;

namespace Narad.Kafka.Consuming;

/// <summary>
/// The messages that a group finished ahead of an unfinished one. They are recorded in the metadata of the committed offset, Kafka's own field, and are not
/// handled again by the partition's next owner.
/// </summary>
/// <remarks>
/// Not thread-safe; used only by the poll thread once it is read. The text is <c>narad1;offset;seal;topic id;leader epoch;runs</c>, up to the seal that of
/// <see cref="KeyOrder.RetrySeal"/>. It counts only beside the offset and for the topic that it names. The runs are lengths in offsets, unfinished and
/// finished in turn from the offset on (the first one plus 1), in Elias gamma code and then base64: about one bit for each message where they alternate at
/// random, and 2 × log2 of its length for a long run.
/// A log that an unclean leader election cut off is written on with a higher leader epoch, so a message of a higher one is another message.
/// </remarks>
internal sealed class FinishedAhead
{
    /// <summary>The longest text, in bytes: the brokers' default of <c>offset.metadata.max.bytes</c>.</summary>
    public const int MaxLength = 4_096;

    private const string Version = "narad1";

    // No offset is that large: a sum of runs up to there does not overflow.
    private const int MostBits = 62;

    private readonly List<Run> _runs;
    private int _next;      // the first run that is not passed

    private FinishedAhead(List<Run> runs, int epoch)
    {
        _runs = runs;
        Epoch = epoch;
    }

    /// <summary>The highest leader epoch that its messages can have; −1 where the broker has none.</summary>
    public int Epoch { get; }

    /// <summary>Whether all of it was read.</summary>
    public bool IsPassed => _next == _runs.Count;

    /// <summary>How many offsets it names: of a compacted topic there may be fewer messages.</summary>
    public long Count => _runs.Sum(static run => run.Last - run.First + 1);

    /// <summary>What stands in front of the runs where the offset has no seal.</summary>
    public static string HeadFor(long offset) => string.Create(CultureInfo.InvariantCulture, $"{Version};{offset};");

    /// <summary>How many bytes the runs may have behind this beginning.</summary>
    public static int RoomBehind(string head, string topicId) => Math.Max(0, (MaxLength - head.Length - topicId.Length - "-2147483648".Length - 3) / 4 * 3);

    /// <summary>Reads the metadata of a committed offset; any text, of anybody.</summary>
    /// <param name="metadata">The text.</param>
    /// <param name="offset">The offset that it was found beside.</param>
    /// <param name="topicId">The id of the topic; null where that is unknown.</param>
    /// <param name="why">Why it does not count; null where it does, or where there is nothing of the kind.</param>
    /// <returns>What is finished; null where nothing is known.</returns>
    public static FinishedAhead? Read(string? metadata, long offset, string? topicId, out string? why)
    {
        why = null;
        if (string.IsNullOrEmpty(metadata))
        {
            return null;
        }

        if (metadata.Split(';') is not [Version, var committed, _, .. var rest])
        {
            why = "another client wrote it";
            return null;
        }

        if (rest.Length == 0)
        {
            return null;    // only a seal
        }

        if (!string.Equals(committed, offset.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal))
        {
            why = "it belongs to another offset";
        }
        else if (rest is not [var id, var epochText, var code, ..] || !int.TryParse(epochText, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture,
            out var epoch))
        {
            why = "it cannot be read";
        }
        else if (!string.Equals(id, topicId, StringComparison.Ordinal))
        {
            why = topicId is null ? "the id of the topic is unknown" : "it belongs to a topic of the same name that was deleted";
        }
        else if (Decode(code, offset) is { } runs)
        {
            return runs.Count == 0 ? null : new FinishedAhead(runs, epoch);
        }
        else
        {
            why = "it cannot be read";
        }

        return null;
    }

    /// <summary>Whether the message is one of them. Offsets are to be asked for in ascending order.</summary>
    public bool Contains(long offset, int epoch)
    {
        while (_next < _runs.Count && _runs[_next].Last < offset)
        {
            _next++;
        }

        return _next < _runs.Count && _runs[_next].First <= offset && Covers(epoch);
    }

    /// <summary>Whether a message of this leader epoch, and so those behind it, can be of the log that was handled.</summary>
    public bool Covers(int epoch) => epoch <= Epoch && epoch < 0 == Epoch < 0;

    /// <summary>Adds those from an offset on.</summary>
    public void AddTo(ref Writer writer, long from)
    {
        for (var i = _next; i < _runs.Count && !writer.IsFull; i++)
        {
            if (_runs[i].Last >= from)
            {
                writer.Add(Math.Max(_runs[i].First, from), _runs[i].Last);
            }
        }
    }

    private static List<Run>? Decode(string code, long offset)
    {
        var bytes = new byte[code.Length];
        if (!Convert.TryFromBase64String(code, bytes, out var count))
        {
            return null;
        }

        var runs = new List<Run>();
        var (position, end) = (offset - 1, count * 8);
        for (var (at, isFinished) = (0, false); ; isFinished = !isFinished)
        {
            var zeros = 0;
            while (at < end && !IsSet(bytes, at))
            {
                zeros++;
                at++;
            }

            if (at == end)
            {
                return zeros < 8 ? runs : null;     // the rest of the last byte
            }

            if (zeros >= MostBits || at + zeros >= end)
            {
                return null;
            }

            var length = 0L;
            for (var last = at + zeros; at <= last; at++)
            {
                length = (length << 1) | (IsSet(bytes, at) ? 1L : 0);
            }

            if (length > (1L << MostBits) - position)
            {
                return null;
            }

            if (isFinished)
            {
                runs.Add(new Run(position, position + length - 1));
            }

            position += length;
        }
    }

    private static bool IsSet(ReadOnlySpan<byte> bytes, int bit) => (bytes[bit >> 3] & (0x80 >> (bit & 7))) != 0;

    [StructLayout(LayoutKind.Auto)]
    private readonly record struct Run(long First, long Last);

    /// <summary>
    /// Takes runs of finished messages in ascending order, as many as there is room for.
    /// </summary>
    /// <param name="offset">The offset to be committed: all runs are at or above it.</param>
    /// <param name="room">Where the code is written; its size is the limit.</param>
    internal ref struct Writer(long offset, Span<byte> room)
    {
        private readonly Span<byte> _room = room;
        private long _end = offset - 1;     // behind the latest run that was written
        private long _first = -1;           // of the run that is not written yet, since the next one may follow it at once
        private long _last = -2;
        private int _messages;
        private int _length;                // in bits

        /// <summary>Whether something did not fit: nothing behind it is taken.</summary>
        public bool IsFull { get; private set; }

        /// <summary>How many messages were written, of those that were counted.</summary>
        public int Written { get; private set; }

        /// <summary>The metadata with what was written; null where nothing was.</summary>
        public readonly string? Text(string head, string topicId, int epoch) => _length == 0 ? null
            : string.Create(CultureInfo.InvariantCulture, $"{head};{topicId};{epoch};{Convert.ToBase64String(_room[..((_length + 7) / 8)])}");

        /// <summary>Adds all messages between two offsets, both included.</summary>
        public void Add(long first, long last, int messages = 0)
        {
            if (first == _last + 1)
            {
                (_last, _messages) = (last, _messages + messages);
                return;
            }

            Complete();
            (_first, _last, _messages) = (first, last, messages);
        }

        /// <summary>Writes the last run.</summary>
        public void Complete()
        {
            if (_first < 0 || IsFull)
            {
                return;
            }

            var (gap, length) = (_first - _end, _last - _first + 1);
            if (_length + SizeOf(gap) + SizeOf(length) > _room.Length * 8)
            {
                IsFull = true;
                return;
            }

            Write(gap);
            Write(length);
            _end = _last + 1;
            _first = -1;
            Written += _messages;
        }

        private static int SizeOf(long number) => (2 * BitOperations.Log2((ulong)number)) + 1;

        // In front of the number as many zeros as it has bits behind its first one.
        private void Write(long number)
        {
            var bits = BitOperations.Log2((ulong)number);
            if (bits < MostBits / 2)
            {
                Append((ulong)number, (2 * bits) + 1);
            }
            else
            {
                Append(0, bits);
                Append((ulong)number, bits + 1);
            }
        }

        private void Append(ulong number, int bits)
        {
            while (bits > 0)
            {
                var free = 8 - (_length & 7);
                var taken = Math.Min(free, bits);
                bits -= taken;
                var part = (int)((number >> bits) & ((1u << taken) - 1)) << (free - taken);
                ref var target = ref _room[_length >> 3];
                target = (byte)(free == 8 ? part : target | part);
                _length += taken;
            }
        }
    }
}
