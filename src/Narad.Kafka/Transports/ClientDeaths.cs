namespace Narad.Kafka.Transports;

/// <summary>
/// How long to wait before a client that died is built again: not at all after one that lived for 30 s, and 0.1 s to 10 s where they die one after the other.
/// Not thread-safe; its owner holds a lock.
/// </summary>
internal sealed class ClientDeaths(TimeProvider time)
{
    private static readonly TimeSpan LongLife = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan FirstWait = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(10);

    private TimeSpan _wait;
    private long _died;
    private bool _any;

    /// <summary>What is left of the wait; zero or less: a client may be built.</summary>
    public TimeSpan Wait => _any ? _wait - time.GetElapsedTime(_died) : TimeSpan.Zero;

    /// <summary>A client died.</summary>
    /// <param name="built">When it had been built: a timestamp of the same clock.</param>
    public void Add(long built)
    {
        var now = time.GetTimestamp();
        if (!_any || time.GetElapsedTime(built, now) >= LongLife)
        {
            _wait = TimeSpan.Zero;
        }
        else
        {
            _wait = _wait == TimeSpan.Zero ? FirstWait : TimeSpan.FromTicks(Math.Min(_wait.Ticks * 2, LongestWait.Ticks));
        }

        _any = true;
        _died = now;
    }
}
