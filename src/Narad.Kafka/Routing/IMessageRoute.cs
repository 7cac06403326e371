using Narad.Kafka.Transactions;

namespace Narad.Kafka.Routing;

/// <summary>A <see cref="MessageRoute{T}"/> whose type is not known at compile time. Thread-safe.</summary>
internal interface IMessageRoute
{
    Type MessageType { get; }

    string Topic { get; }

    IMessageDeserializer? Deserializer { get; }

    /// <summary>The key of a message that is of the route's type.</summary>
    MessageKey KeyOf(object message);

    /// <summary>What a send adds: the route's, then the sender's own.</summary>
    SendOptions OptionsFor(SendOptions? own);

    /// <summary>Sends a message as the route's type.</summary>
    ValueTask<SendResult> SendAsync(IMessageSender sender, object message, MessageKey key, SendOptions? options, CancellationToken cancellationToken);
}
