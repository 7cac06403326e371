using System.Collections.Concurrent;
using System.Diagnostics;

namespace Narad.Kafka.Soak.Books;

/// <summary>What was sent, acknowledged and handled, and when something was broken on purpose. Judges nothing: see <see cref="Verdict"/>. Thread-safe.</summary>
internal sealed class Ledger(int keys)
{
    private readonly KeyBook[] _keys = [.. Enumerable.Range(0, keys).Select(_ => new KeyBook())];
    private readonly ConcurrentQueue<Handling> _handlings = new();
    private readonly ConcurrentQueue<(long From, long To)> _faults = new();
    private long _sent;
    private long _acknowledged;
    private long _handled;

    public int Keys => _keys.Length;

    public long Sent => Interlocked.Read(ref _sent);

    public long Acknowledged => Interlocked.Read(ref _acknowledged);

    /// <summary>Different messages that were handled.</summary>
    public long Handled => Interlocked.Read(ref _handled);

    public IReadOnlyCollection<Handling> Handlings => _handlings;

    public IReadOnlyCollection<(long From, long To)> Faults => _faults;

    /// <summary>A new message of a key: its number.</summary>
    public int Next(int key)
    {
        Interlocked.Increment(ref _sent);
        return _keys[key].Next();
    }

    public void Settle(int key, int sequence, SendOutcome outcome)
    {
        if (outcome is SendOutcome.Acknowledged)
        {
            Interlocked.Increment(ref _acknowledged);
        }

        _keys[key].Settle(sequence, outcome);
    }

    public void Handle(Handling handling)
    {
        _handlings.Enqueue(handling);
        if (_keys[handling.Key].Handle(handling.Sequence))
        {
            Interlocked.Increment(ref _handled);
        }
    }

    public bool IsHandled(int key, int sequence) => _keys[key].IsHandled(sequence);

    public IEnumerable<(int Key, int Sequence, SendOutcome Outcome)> Sends() =>
        _keys.SelectMany((book, key) => book.Sends().Select((outcome, sequence) => (key, sequence, outcome)));

    /// <summary>
    /// What was handled between these two moments may be handled again: its offset could not be committed. The window opens
    /// <paramref name="before"/> the fault (what had not been committed when it came) and closes <paramref name="after"/> its end.
    /// </summary>
    public void Fault(long began, TimeSpan before, TimeSpan after)
    {
        var from = began - (long)(before.TotalSeconds * Stopwatch.Frequency);
        var to = Stopwatch.GetTimestamp() + (long)(after.TotalSeconds * Stopwatch.Frequency);
        _faults.Enqueue((from, to));
    }
}
