using Microsoft.Extensions.Logging;

namespace Narad.Kafka.Consuming;

/// <summary>
/// Says that a subscription runs: at once where it starts at what is there already, and where it starts at the end when that is known of each of its
/// partitions, so that nothing is missed of what is sent after <c>SubscribeAsync</c> has completed. Single-threaded: poll thread only.
/// </summary>
internal sealed class StartingSubscriptions(Assignment assignment, string group, TimeProvider time, ILogger logger)
{
    /// <summary>
    /// For how long a partition is waited for, where the start is to be known. A member may come to a group without getting one; but the first assignment
    /// after it asked for another topic may be one that was made before, and the next one takes a rebalance.
    /// </summary>
    public static readonly TimeSpan WithoutPartitions = TimeSpan.FromSeconds(15);

    private readonly Dictionary<Subscription, long> _starting = [];

    /// <summary>The group was joined for a subscription.</summary>
    public void Joined(Subscription subscription)
    {
        if (subscription.Settings.Start is not StartPosition.Latest)
        {
            Run(subscription);
        }
        else
        {
            _starting.TryAdd(subscription, time.GetTimestamp());
        }
    }

    /// <summary>Says so of those whose start is known by now: once a turn.</summary>
    public void Turn()
    {
        if (_starting.Count == 0)
        {
            return;
        }

        foreach (var (subscription, since) in _starting)
        {
            var mine = assignment.Partitions.Where(partition => ReferenceEquals(partition.Subscription, subscription)).ToList();
            if (mine.TrueForAll(static partition => !partition.IsUnchecked && partition.Missing is null)
                && (mine.Count > 0 || time.GetElapsedTime(since) > WithoutPartitions))
            {
                _starting.Remove(subscription);
                Run(subscription);
            }
        }
    }

    /// <summary>The client is another one: it joins again.</summary>
    public void Clear() => _starting.Clear();

    private void Run(Subscription subscription)
    {
        ConsumingLog.Joined(logger, subscription.Topic, group);
        subscription.MoveTo(SubscriptionState.Running);
    }
}
