using System.Collections.Concurrent;
using System.Diagnostics;

namespace Narad.Kafka.Soak.Verification;

/// <summary>
/// What was sent, acknowledged and handled, and when something was broken on purpose. Verifies nothing: see <see cref="Verdict"/>. Thread-safe.
/// </summary>
internal sealed class Recorder(int keys)
{
    /// <summary>What a fault leaves uncommitted: two intervals of the commits before it.</summary>
    public static readonly TimeSpan BeforeFault = TimeSpan.FromSeconds(2);

    private readonly KeyRecord[] _keys = [.. Enumerable.Range(0, keys).Select(_ => new KeyRecord())];
    private readonly ConcurrentQueue<Handling> _handlings = new();
    private readonly ConcurrentQueue<Invocation> _invocations = new();
    private readonly ConcurrentQueue<(long From, long To)> _faults = new();
    private readonly ConcurrentQueue<(long From, long To)> _disturbances = new();
    private readonly ConcurrentQueue<Zombie> _zombies = new();
    private readonly ConcurrentQueue<(int Member, long At)> _news = new();
    private long _sent;
    private long _acknowledged;
    private long _handled;

    public int Keys => _keys.Length;

    public long Sent => Interlocked.Read(ref _sent);

    public long Acknowledged => Interlocked.Read(ref _acknowledged);

    /// <summary>Different messages that were handled.</summary>
    public long Handled => Interlocked.Read(ref _handled);

    public IReadOnlyCollection<Handling> Handlings => _handlings;

    /// <summary>Those of runs where handlers fail, the failed ones included.</summary>
    public IReadOnlyCollection<Invocation> Invocations => _invocations;

    public IReadOnlyCollection<(long From, long To)> Faults => _faults;

    /// <summary>When members came or went: what is handled then may be late.</summary>
    public IReadOnlyCollection<(long From, long To)> Disturbances => _disturbances;

    /// <summary>Processes that stood still for longer than their session, until they knew.</summary>
    public IReadOnlyCollection<Zombie> Zombies => _zombies;

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

    public void Invoke(Invocation invocation)
    {
        _invocations.Enqueue(invocation);
        if (!invocation.Failed)
        {
            Handle(invocation.Handling);
        }
    }

    public bool IsHandled(int key, int sequence) => _keys[key].IsHandled(sequence);

    public IEnumerable<(int Key, int Sequence, SendOutcome Outcome)> Sends() =>
        _keys.SelectMany((record, key) => record.Sends().Select((outcome, sequence) => (key, sequence, outcome)));

    /// <summary>
    /// What was handled between these two moments may be handled again: its offset could not be committed. The window opens
    /// <paramref name="before"/> the fault (what had not been committed when it came) and closes <paramref name="after"/> its end.
    /// </summary>
    public void Fault(long began, TimeSpan before, TimeSpan after)
    {
        _faults.Enqueue((began - Ticks(before), Stopwatch.GetTimestamp() + Ticks(after)));
    }

    /// <summary>The same of a fault that is noted later than it came.</summary>
    public void FaultAt(long at, TimeSpan before) => _faults.Enqueue((at - Ticks(before), at));

    /// <summary>A member was told that its partitions are lost, or that it has others.</summary>
    public void Tell(int member, long at) => _news.Enqueue((member, at));

    /// <summary>When a member was told so for the first time since then; null: not yet.</summary>
    public long? ToldSince(int member, long at) => _news.Where(told => told.Member == member && told.At >= at).Select(told => (long?)told.At).Min();

    /// <summary>A process stood still for longer than its session.</summary>
    public void Zombie(Zombie zombie)
    {
        _zombies.Enqueue(zombie);
        _faults.Enqueue((zombie.From - Ticks(BeforeFault), zombie.To));
    }

    /// <summary>A member came or went, from this moment until now, and partitions with it until <paramref name="after"/>.</summary>
    public void Disturb(long began, TimeSpan after) => _disturbances.Enqueue((began, Stopwatch.GetTimestamp() + Ticks(after)));

    private static long Ticks(TimeSpan time) => (long)(time.TotalSeconds * Stopwatch.Frequency);
}
