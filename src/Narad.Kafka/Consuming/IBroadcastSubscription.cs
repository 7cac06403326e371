namespace Narad.Kafka;

/// <summary>
/// A subscription that receives every message of a topic in every instance. It is in no group: its partitions are assigned by hand, and nothing is committed.
/// What it shows as its group is a name for logs, health and metrics only.
/// </summary>
public interface IBroadcastSubscription : ISubscription
{
    /// <summary>
    /// Completes when everything that the topic held when the subscription started, from its start position on, was handled (or given up). At once where
    /// it starts at the end, and where the topic does not exist.
    /// </summary>
    /// <param name="cancellationToken">Cancels the waiting, not the subscription.</param>
    /// <exception cref="KafkaNotConnectedException">The subscription was stopped before.</exception>
    /// <exception cref="KafkaConnectionException">It ended by itself before.</exception>
    /// <example>
    /// <code>
    /// var prices = await kafka.SubscribeBroadcastAsync&lt;Price&gt;("prices", cache.HandleAsync, configure: o =&gt; o.StartPosition = StartPosition.Earliest);
    /// await prices.UntilCaughtUpAsync(token);   // the cache is warm
    /// </code>
    /// </example>
    Task UntilCaughtUpAsync(CancellationToken cancellationToken = default);
}
