using Narad.Kafka.Routing;
using Narad.Kafka.Transactions;

namespace Narad.Kafka;

/// <summary>
/// Where messages of one type go, declared once: see <see cref="MessageRoutes.Add{T}"/>. Set up while it is declared; not to be changed afterwards.
/// </summary>
/// <typeparam name="T">The messages' type.</typeparam>
/// <example>
/// <code>
/// options.Routes.Add&lt;OrderPlaced&gt;("orders", route =&gt;
/// {
///     route.KeySelector = order =&gt; order.OrderId;
///     route.Headers.Add("origin", "shop");
/// });
/// </code>
/// </example>
public sealed class MessageRoute<T> : IMessageRoute
{
    private SendOptions? _options;

    internal MessageRoute(string topic) => Topic = topic;

    /// <summary>The topic: its name, or the logical name that <see cref="KafkaOptions.TopicNames"/> maps.</summary>
    public string Topic { get; }

    /// <summary>The key of a message, where the sender names none. Default: no key. Must be thread-safe; what it throws, the send throws.</summary>
    public Func<T, MessageKey>? KeySelector { get; set; }

    /// <summary>Headers of every message that is sent by its type; those that the sender adds come after them. Default: none.</summary>
    public MessageHeaders Headers { get; } = new();

    /// <summary>The serializer of messages that are sent by their type. Default: <see cref="KafkaOptions.Serializer"/>.</summary>
    public IMessageSerializer? Serializer { get; set; }

    /// <summary>
    /// The deserializer of subscriptions that name the type and no topic. <see cref="SubscriptionOptions.Deserializer"/> wins over it. Default:
    /// <see cref="KafkaOptions.Deserializer"/>.
    /// </summary>
    public IMessageDeserializer? Deserializer { get; set; }

    Type IMessageRoute.MessageType => typeof(T);

    // Nothing changes it after the declaration, so that all sends may share one.
    private SendOptions Options => _options ??= new SendOptions { Headers = Headers.Count == 0 ? null : Headers.Owned(), Serializer = Serializer };

    MessageKey IMessageRoute.KeyOf(object message) => KeySelector is { } selector ? selector((T)message) : MessageKey.None;

    SendOptions IMessageRoute.OptionsFor(SendOptions? own) => own is null ? Options : own with
    {
        Headers = Options.Headers is null || own.Headers is null ? own.Headers ?? Options.Headers : new MessageHeaders([.. Options.Headers, .. own.Headers]),
        Serializer = own.Serializer ?? Options.Serializer,
    };

    ValueTask<SendResult> IMessageRoute.SendAsync(
        IMessageSender sender, object message, MessageKey key, SendOptions? options, CancellationToken cancellationToken) =>
        sender.SendAsync(Topic, (T)message, key, options, cancellationToken);
}
