using Narad.Kafka.Serialization;

namespace Narad.Kafka;

/// <summary>
/// Which handler takes which <c>type</c> of message: see <see cref="KafkaServiceTypeExtensions.SubscribeByTypeAsync"/>. Types are compared
/// exactly. Not thread-safe while it is filled; read once, when the subscription starts.
/// </summary>
public sealed class MessageTypeMap
{
    internal Dictionary<string, MessageRoute> Routes { get; } = new(StringComparer.Ordinal);

    internal Func<MessageContext, CancellationToken, Task>? Tombstones { get; private set; }

    /// <summary>The types that have a handler.</summary>
    public IReadOnlyCollection<string> Types => Routes.Keys;

    /// <summary>
    /// Handles messages of one type. Of an envelope the handler gets the <c>data</c>, or all of it where <typeparamref name="T"/> is
    /// <see cref="MessageEnvelope{T}"/>; of a flat message, whose <c>type</c> stands beside its fields, it gets the whole.
    /// </summary>
    /// <param name="type">The type, as messages have it.</param>
    /// <param name="handler">See <see cref="IKafkaService.SubscribeAsync{T}"/>.</param>
    /// <exception cref="ArgumentException">The type is empty, or has a handler.</exception>
    public MessageTypeMap On<T>(string type, Func<T, MessageContext, CancellationToken, Task> handler)
    {
        ArgumentException.ThrowIfNullOrEmpty(type);
        ArgumentNullException.ThrowIfNull(handler);
        if (!Routes.TryAdd(type, MessageRoute.To(handler)))
        {
            throw new ArgumentException($"The type \"{type}\" has a handler already.", nameof(type));
        }

        return this;
    }

    /// <summary>Handles messages of the type that <see cref="MessageTypeAttribute"/> names, else of the type's own name.</summary>
    public MessageTypeMap On<T>(Func<T, MessageContext, CancellationToken, Task> handler) => On(MessageEnvelope.TypeNameOf<T>(), handler);

    /// <summary>Handles tombstones, which have no type; without this they finish unhandled.</summary>
    public MessageTypeMap OnTombstone(Func<MessageContext, CancellationToken, Task> handler)
    {
        ArgumentNullException.ThrowIfNull(handler);
        Tombstones = handler;
        return this;
    }
}
