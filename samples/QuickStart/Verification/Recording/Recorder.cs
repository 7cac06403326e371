using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Narad.Kafka;

namespace QuickStart.Verification.Recording;

/// <summary>
/// The record of one run: what was sent, acknowledged and handled, and from that what was lost or changed places. Thread-safe. Its memory
/// is a bit a line, a few bytes a key, and some 30 bytes for each line that the group has not committed yet.
/// </summary>
internal sealed class Recorder
{
    private readonly Lock _lock = new();
    private readonly byte[] _run;
    private readonly LineSet _handled = new();
    private readonly Dictionary<UInt128, long> _latestOfKey = [];
    private readonly Dictionary<int, Uncovered> _uncovered = [];
    private readonly Dictionary<int, HashSet<long>> _uncommitted = []; // by partition: offsets handled here that the group had not committed when last seen
    private readonly Latencies _latencies = new();

    private IReadOnlySet<int> _mine = new HashSet<int>();
    private long _started;
    private long _latest;
    private long _sentCount;
    private long _acknowledgedCount;
    private long _handledCount;
    private long _foreignCount;
    private long _duplicateCount;
    private long _outOfOrderCount;

    public Recorder(string? run = null)
    {
        Run = run ?? Guid.NewGuid().ToString("N", CultureInfo.InvariantCulture)[..12];
        _run = Encoding.ASCII.GetBytes(Run);
    }

    /// <summary>This run's id.</summary>
    public string Run { get; }

    private bool Owns(RunStamp stamp) => stamp.Line is not null && string.Equals(stamp.Run, Run, StringComparison.Ordinal);

    public void Sending()
    {
        lock (_lock)
        {
            _sentCount++;
            if (_started == 0)
            {
                _started = _latest = Stopwatch.GetTimestamp();
            }
        }
    }

    public MessageHeaders Stamp(long line) => RunStamp.Write(_run, line, Stopwatch.GetTimestamp());

    public void Acknowledged(long line, SendResult written)
    {
        lock (_lock)
        {
            _acknowledgedCount++;
            _latest = Stopwatch.GetTimestamp();
            if (written.Partition >= 0) // in Console there is nothing to cover
            {
                Partition(written.Partition).Add(written.Offset, line);
            }
        }
    }

    /// <summary>A handler is done with a message.</summary>
    /// <param name="key">The message's key; without one it takes no part in the order.</param>
    /// <param name="stamp">What the message carried.</param>
    /// <param name="entered">When the handler was entered (<see cref="Stopwatch.GetTimestamp"/>).</param>
    public void Handled(MessageKey key, RunStamp stamp, long entered)
    {
        var hash = Hash(key);
        lock (_lock)
        {
            if (!Owns(stamp))
            {
                _foreignCount++;
                return;
            }

            _latest = Stopwatch.GetTimestamp();
            var line = stamp.Line!.Value;
            if (!_handled.Add(line))
            {
                _duplicateCount++; // Handled again after a rebalance: that is at-least-once, not a change of order.
                return;
            }

            _handledCount++;
            _latencies.Add(Stopwatch.GetElapsedTime(stamp.SentAt, entered));
            if (!key.IsNone)
            {
                ref var latest = ref CollectionsMarshal.GetValueRefOrAddDefault(_latestOfKey, hash, out _);
                _outOfOrderCount += line < latest ? 1 : 0;
                latest = Math.Max(latest, line);
            }
        }
    }

    /// <summary>The message at this place, of whichever run, was handled here; unless the group commits it, it comes again.</summary>
    public void Handled(int partition, long offset)
    {
        lock (_lock)
        {
            ref var offsets = ref CollectionsMarshal.GetValueRefOrAddDefault(_uncommitted, partition, out _);
            (offsets ??= []).Add(offset);
        }
    }

    /// <summary>How many messages were handled here that come again when the group continues from here.</summary>
    /// <param name="committed">The offset that the group continues from, by partition.</param>
    public long CountUncommitted(IReadOnlyDictionary<int, long> committed)
    {
        lock (_lock)
        {
            return _uncommitted.Sum(partition => partition.Value.LongCount(offset => offset >= committed.GetValueOrDefault(partition.Key)));
        }
    }

    /// <summary>
    /// Takes in where the group stands. What it has committed past is covered: handled here, or by another member while it had the partition.
    /// Where no other member ever had it, only this process can have handled a line: committed past and not handled here is lost.
    /// </summary>
    /// <param name="mine">The partitions that this process has, and had since the last call.</param>
    /// <param name="committed">The offset that the group continues from, by partition.</param>
    public Coverage Cover(IReadOnlySet<int> mine, IReadOnlyDictionary<int, long> committed)
    {
        lock (_lock)
        {
            _mine = mine;
            var waiting = 0;
            var suspects = 0;
            foreach (var (partition, lines) in _uncovered)
            {
                lines.Cover(mine.Contains(partition), committed.GetValueOrDefault(partition), _handled);
                waiting += lines.Waiting;
                suspects += lines.Suspects;
            }

            foreach (var (partition, offsets) in _uncommitted)
            {
                offsets.RemoveWhere(offset => offset < committed.GetValueOrDefault(partition));
            }

            return new Coverage(waiting, suspects);
        }
    }

    public Snapshot Read(KafkaMode mode)
    {
        lock (_lock)
        {
            var elapsed = _started == 0 ? TimeSpan.Zero : Stopwatch.GetElapsedTime(_started, _latest);
            var done = mode == KafkaMode.Console ? _acknowledgedCount : _handledCount;
            return new Snapshot(
                mode,
                _sentCount,
                _acknowledgedCount,
                _handledCount,
                _foreignCount,
                _duplicateCount,
                _outOfOrderCount,
                _uncovered.Values.Sum(lines => lines.CountUnhandled(_handled)),
                elapsed,
                elapsed > TimeSpan.Zero ? done / elapsed.TotalSeconds : null,
                _latencies.Percentile(0.50),
                _latencies.Percentile(0.99));
        }
    }

    private Uncovered Partition(int partition)
    {
        ref var lines = ref CollectionsMarshal.GetValueRefOrAddDefault(_uncovered, partition, out _);
        return lines ??= new Uncovered(_mine.Contains(partition));
    }

    // FNV-1a, 128 bits: a key of any length takes 16 bytes, and two of them never meet in practice.
    private static UInt128 Hash(MessageKey key)
    {
        var hash = new UInt128(0x6C62272E07BB0142, 0x62B821756295C58D);
        foreach (var value in key.ToBytes() ?? [])
        {
            hash = (hash ^ value) * new UInt128(0x0000000001000000, 0x000000000000013B);
        }

        return hash;
    }
}
