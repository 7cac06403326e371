namespace Narad.Kafka.Producing;

/// <summary>
/// What became of every send, counted once each: an accepted send is delivered, failed or unknown, or was taken back before it reached the client and then is
/// counted nowhere. Thread-safe.
/// </summary>
internal sealed class SendTally
{
    private readonly TaskCompletionSource _idle = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _outstanding;
    private long _delivered;
    private long _failed;
    private long _unknown;
    private volatile bool _awaited;

    /// <summary>How many were accepted and have no outcome yet.</summary>
    public long Outstanding => Interlocked.Read(ref _outstanding);

    public long Delivered => Interlocked.Read(ref _delivered);

    public long Failed => Interlocked.Read(ref _failed);

    public long Unknown => Interlocked.Read(ref _unknown);

    public void Accept() => Interlocked.Increment(ref _outstanding);

    public void CountDelivered() => Interlocked.Increment(ref _delivered);

    public void CountFailed() => Interlocked.Increment(ref _failed);

    public void CountUnknown() => Interlocked.Increment(ref _unknown);

    /// <summary>One accepted send has its outcome, or was taken back.</summary>
    public void Done()
    {
        Interlocked.Decrement(ref _outstanding);
        SignalIdle();
    }

    /// <summary>Completes when nothing is outstanding; nothing may be accepted any more.</summary>
    public Task WhenIdle()
    {
        _awaited = true;
        SignalIdle();
        return _idle.Task;
    }

    private void SignalIdle()
    {
        if (_awaited && Outstanding == 0)
        {
            _idle.TrySetResult();
        }
    }
}
