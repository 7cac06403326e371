namespace Narad.Samples.Tests.ClientToClient;

/// <summary>
/// A clock that stands still, elapsed time included, until it is put forward; timers are real. It is an hour ahead, so that no record, which the client stamps with the machine's
/// clock, is from its future. Thread-safe.
/// </summary>
internal sealed class StoppedClock : TimeProvider
{
    private readonly DateTimeOffset _start = DateTimeOffset.FromUnixTimeMilliseconds(DateTimeOffset.UtcNow.AddHours(1).ToUnixTimeMilliseconds());
    private long _ahead;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override DateTimeOffset GetUtcNow() => _start.AddTicks(GetTimestamp());

    public override long GetTimestamp() => Interlocked.Read(ref _ahead);

    public void Advance(TimeSpan time) => Interlocked.Add(ref _ahead, time.Ticks);
}
