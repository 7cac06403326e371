using Narad.Kafka.Consuming;

namespace Narad.Kafka;

/// <content>Broadcast subscriptions.</content>
public sealed partial class KafkaService
{
    /// <inheritdoc/>
    public Task<IBroadcastSubscription> SubscribeBroadcastAsync<T>(string topic, Func<T, MessageContext, CancellationToken, Task> handler,
        Action<SubscriptionOptions>? configure = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(handler);
        return SubscribeBroadcastAsync(topic, configure, HandlerName.Of(handler), (settings, metrics) =>
            new SinglePipeline<T>(handler, settings, metrics, _diagnostics), cancellationToken);
    }

    internal async Task<IBroadcastSubscription> SubscribeBroadcastAsync(
        string topic,
        Action<SubscriptionOptions>? configure,
        string handler,
        Func<SubscriptionSettings, ConsumingMetrics, HandlerPipeline> pipeline,
        CancellationToken cancellationToken)
    {
        _connections.ThrowIfClosed();
        Init();
        return await _subscriptions.SubscribeBroadcastAsync(topic, configure, handler, pipeline, cancellationToken).ConfigureAwait(false);
    }
}
