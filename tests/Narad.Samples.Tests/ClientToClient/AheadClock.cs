namespace Narad.Samples.Tests.ClientToClient;

/// <summary>
/// A clock that runs, and can be put forward. It is an hour ahead at first, so that no record, which the client stamps with the machine's clock, is from its
/// future. Thread-safe.
/// </summary>
internal sealed class AheadClock : TimeProvider
{
    private long _ahead = TimeSpan.FromHours(1).Ticks;

    public override DateTimeOffset GetUtcNow() => base.GetUtcNow().AddTicks(Interlocked.Read(ref _ahead));

    public void Advance(TimeSpan time) => Interlocked.Add(ref _ahead, time.Ticks);
}
