namespace Narad.Kafka.Consuming;

/// <summary>A subscription whose partitions are assigned by hand, all of them to this process. Thread-safe.</summary>
internal sealed class BroadcastSubscription(ConsumerGroup group, SubscriptionSettings settings, HandlerPipeline pipeline, TimeProvider time)
    : Subscription(group, settings, pipeline, time), IBroadcastSubscription
{
    private readonly TaskCompletionSource _caughtUp = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly bool _isSilent = group.Mode is KafkaMode.Console;

    /// <summary>Whether nothing of what was there at its start is left to be handled.</summary>
    internal bool IsCaughtUp => _caughtUp.Task.IsCompleted;

    public Task UntilCaughtUpAsync(CancellationToken cancellationToken = default) => _caughtUp.Task.WaitAsync(cancellationToken);

    /// <summary>What was there at its start was handled.</summary>
    public void CatchUp() => _caughtUp.TrySetResult();

    public override void MoveTo(SubscriptionState state, Exception? fault = null)
    {
        base.MoveTo(state, fault);
        if (state is SubscriptionState.TopicMissing || (_isSilent && state is SubscriptionState.Running))
        {
            CatchUp();   // there is nothing
        }
        else if (state is SubscriptionState.Ended or SubscriptionState.Faulted)
        {
            _caughtUp.TrySetException(fault ?? new KafkaNotConnectedException($"The broadcast subscription to '{Topic}' was stopped before it had caught up."));
            _ = _caughtUp.Task.Exception;   // observed: nobody may be waiting
        }
    }
}
