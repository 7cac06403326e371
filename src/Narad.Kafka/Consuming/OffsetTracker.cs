using System.Diagnostics;
using System.Numerics;
using System.Runtime.InteropServices;

namespace Narad.Kafka.Consuming;

/// <summary>
/// Knows which messages of one assigned partition are finished, and so what may be committed: at most the lowest unfinished one.
/// It tracks by sequence number, not by offset, so gaps cost nothing; it never looks at a message and never talks to the broker.
/// </summary>
/// <remarks>
/// Single-threaded: poll thread only. O(1) per message, amortized; allocates only when the window of unfinished messages outgrows its ring.
/// <code>
///   ring:   [ … done done | OPEN done OPEN done | free … ]
///                          ^ _head (sequence number)     ^ _tail
/// </code>
/// An offset at or below the last seen one means that the log went back (topic created again, a seek): a new <em>incarnation</em> begins,
/// and completions of older sequence numbers change nothing any more.
/// </remarks>
internal sealed class OffsetTracker
{
    private Slot[] _ring;
    private long _head;         // sequence number of the first slot that is not committable, never of an older incarnation: what is below it changes nothing
    private long _tail;         // sequence number of the next message
    private long _last = -1;    // offset of the latest sequence number
    private long _lastMessage = -1; // of the latest message: behind it may be control records
    private int _epoch = -1;        // of the leader that wrote it
    private int _ahead;             // finished ones above the first unfinished one

    public OffsetTracker(int capacity = 256)
    {
        _ring = new Slot[BitOperations.RoundUpToPowerOf2((uint)Math.Max(capacity, 2))];
    }

    /// <summary>The offset that may be committed: the next message's, when all before it are finished; null while nothing was finished.</summary>
    public long? Committable { get; private set; }

    /// <summary>
    /// The leader epoch to commit an offset with (KIP-320): the one that wrote the latest message, also where an earlier one wrote what is before the
    /// offset, since a log that was truncated below the offset ends all epochs up to it there. Null where it is unknown, as it is behind control records.
    /// </summary>
    public int? EpochAt(long offset) => _epoch < 0 || offset > _lastMessage + 1 ? null : _epoch;

    /// <summary>The offset of the first sequence number, or where it was told to begin; null while there was neither.</summary>
    public long? First { get; private set; }

    /// <summary>
    /// How many messages the window spans: from the lowest unfinished to the latest sequence number. Bounded by <c>MaxUncommittedMessages</c>.
    /// </summary>
    public int Span => (int)(_tail - _head);

    /// <summary>How many messages are finished ahead of an unfinished one.</summary>
    public int FinishedAhead => _ahead;

    /// <summary>The leader epoch of the latest message; −1 where it is unknown.</summary>
    public int LeaderEpoch => _epoch;

    /// <summary>How often the offsets went back.</summary>
    public int Incarnation { get; private set; }

    /// <summary>The offset of the lowest unfinished message; null where all are finished.</summary>
    public long? LowestUnfinished => _head == _tail ? null : At(_head).Offset;

    /// <summary>
    /// Whether a message of this sequence number still counts: an older incarnation's does not, nor one that is finished and so is all before it.
    /// </summary>
    public bool Tracks(long sequence) => sequence >= _head;

    /// <summary>The first unfinished sequence number from this one on; the next message's where all are finished.</summary>
    public long NextOpen(long sequence)
    {
        for (sequence = Math.Max(sequence, _head); sequence < _tail && At(sequence).Done; sequence++)
        {
        }

        return sequence;
    }

    /// <summary>The offset of the highest finished message above an unfinished one; null where there is none. Goes over the unfinished ones.</summary>
    public long? LastFinished
    {
        get
        {
            for (var sequence = _tail - 1; sequence > _head; sequence--)
            {
                if (At(sequence).Done)
                {
                    return At(sequence).Offset;
                }
            }

            return null;
        }
    }

    /// <summary>Where to continue: behind the latest sequence number, or where it begins; null while neither is known.</summary>
    public long? Next => _last < 0 ? Committable : _last + 1;

    /// <summary>
    /// Nothing arrived yet, and the position is decided: that is what may be committed. What an earlier incarnation did not finish is forgotten.
    /// </summary>
    public void Begin(long offset)
    {
        if (_tail > 0)
        {
            Incarnation++;
        }

        _head = _tail;
        _ahead = 0;
        First = offset;
        _last = offset - 1;
        _lastMessage = -1;
        _epoch = -1;   // of another place in the log: it says nothing about this one
        Committable = offset;
    }

    /// <summary>Adds the next message.</summary>
    /// <param name="offset">Its offset.</param>
    /// <param name="leaderEpoch">The epoch of the leader that wrote it; below 0 where that is unknown.</param>
    /// <returns>Its sequence number, for <see cref="Finish"/>.</returns>
    public long Add(long offset, int leaderEpoch = -1)
    {
        if (offset <= _last)
        {
            Incarnation++;
            _head = _tail;
            _ahead = 0;
            First = null;
            Committable = null;
        }

        First ??= offset;

        if (_tail - _head == _ring.Length)
        {
            Grow();
        }

        _last = _lastMessage = offset;
        _epoch = leaderEpoch;
        At(_tail) = new Slot { Offset = offset };
        return _tail++;
    }

    /// <summary>
    /// The log was read up to an offset: what is between the latest message and it are control records of transactions, or nothing. Once all messages are
    /// finished, it may be committed.
    /// </summary>
    public void Reach(long offset)
    {
        if (offset <= Math.Max(_last + 1, 0))
        {
            return;
        }

        First ??= offset;
        _last = offset - 1;
        if (_head == _tail)
        {
            Committable = offset;
        }
    }

    /// <summary>Marks a message as finished. A second call for it, and sequence numbers of an older incarnation, change nothing.</summary>
    /// <returns>Whether <see cref="Committable"/> moved.</returns>
    public bool Finish(long sequence)
    {
        Debug.Assert(sequence < _tail, "Only what arrived can be finished.");
        if (sequence < _head)
        {
            return false;
        }

        if (sequence != _head)
        {
            ref var slot = ref At(sequence);
            _ahead += slot.Done ? 0 : 1;
            slot.Done = true;
            return false;
        }

        var first = _head;
        do
        {
            Committable = At(_head).Offset + 1;
            _head++;
        }
        while (_head < _tail && At(_head).Done);
        _ahead -= (int)(_head - first) - 1;

        if (_head == _tail)
        {
            Committable = _last + 1;   // behind control records, where the log was read past them
        }

        return true;
    }

    /// <summary>
    /// Adds what is finished ahead of an unfinished message. An offset between two finished messages that follow each other is nobody's, and counts as
    /// finished.
    /// </summary>
    public void AddFinishedAhead(ref FinishedAhead.Writer writer)
    {
        var left = _ahead;
        for (var sequence = _head + 1; left > 0 && !writer.IsFull; sequence++)
        {
            if (!At(sequence).Done)
            {
                continue;
            }

            var first = sequence;
            while (sequence + 1 < _tail && At(sequence + 1).Done)
            {
                sequence++;
            }

            var messages = (int)(sequence - first) + 1;
            writer.Add(At(first).Offset, At(sequence).Offset, messages);
            left -= messages;
        }
    }

    private ref Slot At(long sequence) => ref _ring[(int)(sequence & (_ring.Length - 1))];

    private void Grow()
    {
        var larger = new Slot[_ring.Length * 2];
        for (var sequence = _head; sequence < _tail; sequence++)
        {
            larger[(int)(sequence & (larger.Length - 1))] = At(sequence);
        }

        _ring = larger;
    }

    [StructLayout(LayoutKind.Auto)]
    private struct Slot
    {
        public long Offset;
        public bool Done;
    }
}
