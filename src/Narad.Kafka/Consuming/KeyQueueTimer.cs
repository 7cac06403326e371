namespace Narad.Kafka.Consuming;

/// <summary>Wakes a key queue after a wait. It waits in pieces, because the longest timer that there is ends after 49.7 days.</summary>
/// <remarks>Threading: made and started under the lock of <see cref="KeyQueueScheduler"/>; fires without it.</remarks>
internal sealed class KeyQueueTimer(TimeProvider time, Action<KeyQueue, ITimer> wake, KeyQueue queue, TimeSpan delay)
{
    private static readonly TimeSpan LongestPiece = TimeSpan.FromDays(1);

    private readonly long _started = time.GetTimestamp();

    public ITimer Timer { get; set; } = null!;

    public void Start() => Wait(delay);

    public void Fire()
    {
        var left = delay - time.GetElapsedTime(_started);
        if (left > TimeSpan.Zero)
        {
            Wait(left);
        }
        else
        {
            wake(queue, Timer);
        }
    }

    // One that was disposed meanwhile changes nothing.
    private void Wait(TimeSpan left) => Timer.Change(left < LongestPiece ? left : LongestPiece, Timeout.InfiniteTimeSpan);
}
