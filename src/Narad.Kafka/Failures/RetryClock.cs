namespace Narad.Kafka.Failures;

/// <summary>
/// What the waits of retries are compared with: the wall clock, which other processes and a suspended host know too, but never behind the time that
/// elapsed. Where the wall clock is put forward, this clock follows it; where it is put back, this clock continues as if nothing had happened. So a wait
/// takes the shorter of the two, and what is due stays due.
/// </summary>
/// <remarks>
/// Single-threaded: poll thread only. Its readings are compared with one another, and differ from the wall clock's by what that was put back:
/// <see cref="Of"/> and <see cref="WallOf"/> convert.
/// </remarks>
internal sealed class RetryClock(TimeProvider time)
{
    // Less is how a wall clock is kept right, and delays nothing by more.
    private static readonly long Step = (long)TimeSpan.FromSeconds(1).TotalMilliseconds;

    private long _anchor = long.MinValue;   // a reading of the wall clock, and the timestamp at it: time that elapsed since is added
    private long _anchoredAt;
    private long _latest = long.MinValue;

    /// <summary>In milliseconds since 1970; never less than before.</summary>
    public long Now
    {
        get
        {
            var wall = Wall;
            var at = time.GetTimestamp();
            var elapsed = _anchor == long.MinValue ? long.MinValue : _anchor + (long)time.GetElapsedTime(_anchoredAt, at).TotalMilliseconds;
            if (wall >= elapsed)
            {
                _anchor = wall;
                _anchoredAt = at;
                elapsed = wall;
            }

            _latest = Math.Max(_latest, elapsed - wall > Step ? elapsed : wall);
            return _latest;
        }
    }

    private long Wall => time.GetUtcNow().ToUnixTimeMilliseconds();

    /// <summary>The reading at a time of the wall clock as it is now.</summary>
    public long Of(long wall) => wall + (Now - Wall);

    /// <summary>The time of the wall clock at a reading.</summary>
    public long WallOf(long reading) => reading - (Now - Wall);
}
