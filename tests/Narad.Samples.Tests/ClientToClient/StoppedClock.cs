namespace Narad.Samples.Tests.ClientToClient;

/// <summary>A wall clock that stands still until it is put forward; timers and elapsed time are right. Thread-safe.</summary>
internal sealed class StoppedClock : TimeProvider
{
    private readonly DateTimeOffset _start = DateTimeOffset.FromUnixTimeMilliseconds(DateTimeOffset.UtcNow.ToUnixTimeMilliseconds());
    private long _ahead;

    public override DateTimeOffset GetUtcNow() => _start.AddTicks(Interlocked.Read(ref _ahead));

    public void Advance(TimeSpan time) => Interlocked.Add(ref _ahead, time.Ticks);
}
