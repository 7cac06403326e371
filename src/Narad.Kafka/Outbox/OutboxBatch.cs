using Narad.Kafka.Transactions;

namespace Narad.Kafka.Outbox;

/// <summary>Collects the messages of one call, so that they are stored together. Not thread-safe.</summary>
internal sealed class OutboxBatch(OutboxComposer composer) : IMessageSender
{
    private readonly List<OutboxMessage> _messages = [];

    public IReadOnlyList<OutboxMessage> Messages => _messages;

    public IMessageRoutes Routes => composer.Routes;

    public ValueTask<SendResult> SendAsync<T>(string topic, T message, MessageKey key, SendOptions? options, CancellationToken cancellationToken) =>
        composer.ComposeAsync(topic, message, typeof(T), key, options, _messages.Add, cancellationToken);

    public ValueTask<SendResult> SendTombstoneAsync(string topic, MessageKey key, SendOptions? options, CancellationToken cancellationToken) =>
        composer.ComposeAsync(topic, message: null, typeof(object), key, options, _messages.Add, cancellationToken);
}
