namespace Narad.Kafka.Transactions;

/// <summary>Sends messages to the topics of their types, through whatever a handler sends through. Thread-safe.</summary>
internal interface IMessageRoutes
{
    /// <summary>Sends a message by its type.</summary>
    /// <exception cref="MessageRouteNotFoundException">No route is declared for it, or several are and none is nearer.</exception>
    ValueTask<SendResult> SendAsync<T>(IMessageSender sender, T message, MessageKey key, SendOptions? options, CancellationToken cancellationToken);

    /// <summary>Sends a tombstone to the topic of a type.</summary>
    /// <exception cref="ArgumentException">There is no key.</exception>
    /// <exception cref="MessageRouteNotFoundException">No route is declared for it, or several are and none is nearer.</exception>
    ValueTask<SendResult> SendTombstoneAsync<T>(IMessageSender sender, MessageKey key, SendOptions? options, CancellationToken cancellationToken);
}
