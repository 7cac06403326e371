using Microsoft.Extensions.Logging.Abstractions;
using Narad.Kafka.Serialization;

namespace Narad.Kafka;

/// <summary>Subscriptions to topics that carry several types of messages.</summary>
public static class KafkaServiceTypeExtensions
{
    /// <summary>
    /// Handles the messages of a topic by their <c>type</c>, be they envelopes or flat. A message of a type without a handler stops its
    /// partition, as one that cannot be deserialized does, unless <see cref="SubscriptionOptions.OnUnknownType"/> says otherwise.
    /// </summary>
    /// <param name="service">The service.</param>
    /// <param name="topic">See <see cref="IKafkaService.SubscribeAsync{T}"/>.</param>
    /// <param name="types">Declares the handlers.</param>
    /// <param name="group">See <see cref="IKafkaService.SubscribeAsync{T}"/>.</param>
    /// <param name="configure">See <see cref="IKafkaService.SubscribeAsync{T}"/>; its deserializer reads what the handlers take.</param>
    /// <param name="cancellationToken">Cancels the waiting, not the subscription.</param>
    /// <exception cref="ArgumentException">No handler was declared, or tombstones are asked for without <see cref="MessageTypeMap.OnTombstone"/>.</exception>
    public static Task<ISubscription> SubscribeByTypeAsync(
        this IKafkaService service,
        string topic,
        Action<MessageTypeMap> types,
        string? group = null,
        Action<SubscriptionOptions>? configure = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(service);
        ArgumentNullException.ThrowIfNull(types);
        var map = new MessageTypeMap();
        types(map);
        if (map.Types.Count == 0)
        {
            throw new ArgumentException("No handler was declared: call On for each type of message.", nameof(types));
        }

        // Read once to refuse early; the subscription applies it again to its own options.
        var chosen = new SubscriptionOptions();
        configure?.Invoke(chosen);
        if (chosen.IncludeTombstones && map.Tombstones is null)
        {
            throw new ArgumentException("Tombstones have no type: declare OnTombstone instead of setting IncludeTombstones.", nameof(configure));
        }

        var own = service as KafkaService;
        var decoder = new MessageDecoder(own?.Options ?? new KafkaOptions(), chosen.Deserializer);
        var typed = new TypedMessages(map, decoder, chosen.OnUnknownType, own?.Diagnostics.Logger<MessageTypeMap>() ?? NullLogger.Instance, own?.Meter);
        return service.SubscribeAsync<object>(topic, typed.HandleAsync, group, Configure, cancellationToken);

        void Configure(SubscriptionOptions options)
        {
            configure?.Invoke(options);
            typed.Configure(new MessageDecoder(own?.Options ?? new KafkaOptions(), options.Deserializer), options.OnUnknownType);
            options.Deserializer = typed;
            if (map.Tombstones is not null)
            {
                options.IncludeTombstones = true;
            }
        }
    }
}
