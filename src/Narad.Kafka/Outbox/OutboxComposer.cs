using Narad.Kafka.Producing;
using Narad.Kafka.Serialization;
using Narad.Kafka.Topics;
using Narad.Kafka.Transactions;

namespace Narad.Kafka.Outbox;

/// <summary>
/// Makes of a message what an outbox stores: middleware, trace context, serialization and checks as with every other send of the service. Needs no broker.
/// Thread-safe.
/// </summary>
internal sealed class OutboxComposer(KafkaOptions options)
{
    public const string IdHeader = "message-id";

    private readonly MessageEncoder _encoder = new(options);
    private readonly ISendMiddleware[] _middleware = [.. options.SendMiddleware];
    private readonly RealNames _names = new(options);

    /// <summary>Where messages go that are enqueued by their type.</summary>
    public IMessageRoutes Routes => options.Routes;

    public string RealTopic(string topic) => _names.Of(topic);

    /// <summary>Passes a message through middleware and serializer.</summary>
    /// <param name="topic">The topic's name.</param>
    /// <param name="message">The message; null for a tombstone.</param>
    /// <param name="type">The type it is sent as.</param>
    /// <param name="key">The key.</param>
    /// <param name="sendOptions">Headers, partition, timestamp, serializer.</param>
    /// <param name="composed">Takes what came out: nothing where middleware answered by itself.</param>
    /// <param name="cancellationToken">The caller's token.</param>
    public async ValueTask<SendResult> ComposeAsync(string topic, object? message, Type type, MessageKey key, SendOptions? sendOptions,
        Action<OutboxMessage> composed, CancellationToken cancellationToken)
    {
        MessageProducer.Validate(sendOptions);
        cancellationToken.ThrowIfCancellationRequested();
        var outgoing = new OutgoingMessage
        {
            Topic = _names.Of(topic),
            Message = RawSerialization.Owned(message, out _),
            MessageType = type,
            Key = key.Owned(),
            Headers = sendOptions?.Headers?.Owned() ?? [],
            Partition = sendOptions?.Partition,
            Timestamp = sendOptions?.Timestamp,
            Serializer = sendOptions?.Serializer,
        };
        using var activity = TraceHeaders.Wanted ? TraceHeaders.Start(outgoing.Topic, key, options.ClientId) : default;
        try
        {
            if (TraceHeaders.Wanted)
            {
                TraceHeaders.InjectInto(outgoing.Headers);
            }

            return await NextAsync(0, outgoing, outgoing.Topic, composed, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception error)
        {
            TraceHeaders.Failed(activity, error);
            throw;
        }
    }

    private ValueTask<SendResult> NextAsync(int index, OutgoingMessage message, string asked, Action<OutboxMessage> composed,
        CancellationToken cancellationToken)
    {
        if (index < _middleware.Length)
        {
            return _middleware[index].SendAsync(message, (next, token) => NextAsync(index + 1, next, asked, composed, token), cancellationToken);
        }

        MessageProducer.Conclude(message, asked, _names);
        return EncodeAsync(message, composed, cancellationToken);
    }

    private async ValueTask<SendResult> EncodeAsync(OutgoingMessage message, Action<OutboxMessage> composed, CancellationToken cancellationToken)
    {
        byte[]? value;
        try
        {
            value = message.Message is null ? null : await _encoder.EncodeAsync(
                message.Message, message.MessageType, message.Topic, message.Headers, message.Serializer, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception error) when (error is not OperationCanceledException)
        {
            throw SendFailure.NotSerialized(message.Topic, message.Key, error);
        }

        var id = Guid.CreateVersion7().ToString();
        if (!message.Headers.TryGet(IdHeader, out _))
        {
            message.Headers.Add(IdHeader, id);
        }

        var key = message.Key.WireBytes;
        var size = SendSize.Of(key, value, [.. message.Headers]);
        if (size > options.MaxMessageBytes)
        {
            throw SendFailure.TooLarge(message.Topic, message.Key, size, options.MaxMessageBytes);
        }

        var hash = OutboxKeyHash.Of(message.Topic, key, message.Partition, id);
        composed(new OutboxMessage
        {
            Id = id,
            Topic = message.Topic,
            Bucket = OutboxKeyHash.BucketOf(hash),
            KeyHash = hash,
            Key = key,
            Value = value,
            Headers = message.Headers,
            Partition = message.Partition,
            Timestamp = message.Timestamp,
        });
        return new SendResult(message.Topic, -1, -1);
    }
}
