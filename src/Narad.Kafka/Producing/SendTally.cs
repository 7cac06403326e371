namespace Narad.Kafka.Producing;

/// <summary>
/// What became of every send, counted once each: an accepted send is delivered, late, failed or unknown, or was taken back before it reached the client and
/// then is counted nowhere. Thread-safe, except for <see cref="Accept"/>.
/// </summary>
internal sealed class SendTally
{
    private readonly TaskCompletionSource _idle = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _accepted;
    private long _done;
    private long _delivered;
    private long _late;
    private long _failed;
    private long _unknown;
    private volatile bool _awaited;

    /// <summary>How many were accepted and have no outcome yet.</summary>
    public long Outstanding
    {
        get
        {
            var done = Interlocked.Read(ref _done);   // first: what is done was accepted before
            return Volatile.Read(ref _accepted) - done;
        }
    }

    public long Delivered => Interlocked.Read(ref _delivered);

    /// <summary>Acknowledged after their awaiters had been told that they failed.</summary>
    public long Late => Interlocked.Read(ref _late);

    public long Failed => Interlocked.Read(ref _failed);

    public long Unknown => Interlocked.Read(ref _unknown);

    /// <summary>One more is accepted; under the lock of <see cref="SendQueue"/>.</summary>
    public void Accept() => Volatile.Write(ref _accepted, _accepted + 1);

    public void CountDelivered(int inTime, int late)
    {
        Interlocked.Add(ref _delivered, inTime);
        if (late > 0)
        {
            Interlocked.Add(ref _late, late);
        }
    }

    public void CountFailed() => Interlocked.Increment(ref _failed);

    public void CountUnknown() => Interlocked.Increment(ref _unknown);

    /// <summary>So many accepted sends have their outcome, or were taken back.</summary>
    public void Done(int count = 1)
    {
        Interlocked.Add(ref _done, count);
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
