namespace Narad.Kafka.Tests.Failures;

/// <summary>A wall clock that can be put wrong; timers and elapsed time are right. Thread-safe.</summary>
internal sealed class JumpingClock : TimeProvider
{
    private long _ahead;

    /// <summary>By how much it is ahead of the right time.</summary>
    public TimeSpan Ahead
    {
        get => TimeSpan.FromTicks(Interlocked.Read(ref _ahead));
        set => Interlocked.Exchange(ref _ahead, value.Ticks);
    }

    public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + Ahead;
}
