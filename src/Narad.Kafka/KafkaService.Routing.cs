using System.Runtime.CompilerServices;
using Narad.Kafka.Routing;
using Narad.Kafka.Transactions;

namespace Narad.Kafka;

/// <content>What is sent and subscribed to by its type: the topic is that of a route.</content>
public sealed partial class KafkaService
{
    /// <inheritdoc/>
    [OverloadResolutionPriority(-1)]
    public ValueTask<SendResult> SendAsync<T>(
        T message, MessageKey key = default, SendOptions? options = null, CancellationToken cancellationToken = default) =>
        Routes.SendAsync(_sender, message, key, options, cancellationToken);

    /// <inheritdoc/>
    public ValueTask<SendResult> SendTombstoneAsync<T>(MessageKey key, SendOptions? options = null, CancellationToken cancellationToken = default) =>
        Routes.SendTombstoneAsync<T>(_sender, key, options, cancellationToken);

    /// <inheritdoc/>
    [OverloadResolutionPriority(-1)]
    public Task<IReadOnlyList<SendResult>> SendManyAsync<T>(
        IEnumerable<T> messages, SendOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(messages);
        return Sending().SendEachAsync(
            _options.Routes.ForSubscription(typeof(T)) is { } route ? _realNames.Of(route.Topic) : "of their types",
            messages,
            message => Routes.SendAsync(_sender, message, key: default, options, CancellationToken.None),
            options,
            cancellationToken);
    }

    /// <inheritdoc/>
    public Task<ISubscription> SubscribeAsync<T>(Func<T, MessageContext, CancellationToken, Task> handler, string? group = null,
        Action<SubscriptionOptions>? configure = null, CancellationToken cancellationToken = default)
    {
        var route = RouteOf(typeof(T));
        return SubscribeAsync(route.Topic, handler, group, Configured(route, configure), cancellationToken);
    }

    /// <inheritdoc/>
    public Task<ISubscription> SubscribeBatchAsync<T>(Func<MessageBatch<T>, CancellationToken, Task> handler, string? group = null,
        Action<SubscriptionOptions>? configure = null, CancellationToken cancellationToken = default)
    {
        var route = RouteOf(typeof(T));
        return SubscribeBatchAsync(route.Topic, handler, group, Configured(route, configure), cancellationToken);
    }

    private IMessageRoutes Routes => _options.Routes;

    /// <summary>The options of a subscription that names a type and no topic.</summary>
    internal static Action<SubscriptionOptions> Configured(IMessageRoute route, Action<SubscriptionOptions>? configure) => options =>
    {
        configure?.Invoke(options);
        options.Deserializer ??= route.Deserializer;
    };

    private IMessageRoute RouteOf(Type type) => _options.Routes.ForSubscription(type) ?? throw new MessageRouteNotFoundException(type, []);
}
