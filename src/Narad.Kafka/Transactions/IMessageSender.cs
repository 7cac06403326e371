namespace Narad.Kafka.Transactions;

/// <summary>What a handler sends through: the service's producer, or its message's transaction. Thread-safe.</summary>
internal interface IMessageSender
{
    /// <summary>Where messages go that are sent by their type.</summary>
    IMessageRoutes Routes { get; }

    ValueTask<SendResult> SendAsync<T>(string topic, T message, MessageKey key, SendOptions? options, CancellationToken cancellationToken);

    ValueTask<SendResult> SendTombstoneAsync(string topic, MessageKey key, SendOptions? options, CancellationToken cancellationToken);
}
