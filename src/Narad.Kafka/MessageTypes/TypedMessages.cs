using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using Narad.Kafka.Consuming;
using Narad.Kafka.Diagnostics;
using Narad.Kafka.Serialization;

namespace Narad.Kafka.MessageTypes;

/// <summary>
/// Chooses among the handlers of one subscription by the name of a message's type. As the subscription's deserializer it finds the handler and reads the
/// message, once; as its handler it calls the one that was found. Names from the wire are looked up and never turned into types. Thread-safe.
/// </summary>
/// <param name="handlers">By the names of their types.</param>
/// <param name="tombstones">Handles tombstones; null: they finish unhandled.</param>
/// <param name="otherwise">Handles messages of other types where the policy says so.</param>
/// <param name="source">Where the name is.</param>
/// <param name="decoder">Reads messages.</param>
/// <param name="unknown">What happens to messages of other types.</param>
/// <param name="logger">Where skipped types are logged.</param>
/// <param name="metrics">Where messages of other types are counted.</param>
internal sealed class TypedMessages(
    Dictionary<string, TypedHandler> handlers,
    Func<MessageContext, CancellationToken, Task>? tombstones,
    Func<UnknownMessage, MessageContext, CancellationToken, Task>? otherwise,
    TypeSource source,
    MessageDecoder decoder,
    UnknownTypePolicy unknown,
    ILogger logger,
    ConsumingMetrics metrics) : IMessageDeserializer
{
    // More types than this are noise, or somebody's attack on the log.
    private const int MaxTypesLogged = 1_000;

    private readonly ConcurrentDictionary<string, bool> _logged = new(StringComparer.Ordinal);

    public ValueTask<object?> DeserializeAsync(ReadOnlyMemory<byte> data, Type type, MessageContext context, CancellationToken cancellationToken)
    {
        var found = source.Find(data, context);
        if (found.Type is not null && handlers.TryGetValue(found.Type, out var handler))
        {
            var payload = handler.Whole ? data : found.Payload;
            context.TypedHandler = payload.Length == data.Length ? handler : handler.OfEnvelope;
            return handler.Decode(decoder, payload, context, cancellationToken);
        }

        metrics.UnknownType();
        return unknown is UnknownTypePolicy.Skip or UnknownTypePolicy.Handle
            ? new(new UnknownMessage(found.Type))
            : throw new UnknownMessageTypeException(found.Type, handlers.Keys, context);
    }

    public Task HandleAsync(object? message, MessageContext context, CancellationToken cancellationToken)
    {
        if (context.TypedHandler is { } handler)
        {
            return handler.Handle(message, context, cancellationToken);
        }

        if (message is not UnknownMessage other)
        {
            return tombstones?.Invoke(context, cancellationToken) ?? Task.CompletedTask;
        }

        if (unknown is UnknownTypePolicy.Handle)
        {
            return otherwise!(other, context, cancellationToken);
        }

        LogSkipped(other.Type, context);
        return Task.CompletedTask;
    }

    /// <summary>Hands a batch to its handler, without the messages that are skipped.</summary>
    public async Task HandleBatchAsync<T>(
        MessageBatch<object> batch, Func<MessageBatch<T>, CancellationToken, Task> handler, CancellationToken cancellationToken)
    {
        var items = new List<(T Message, MessageContext Context)>(batch.Items.Count);
        var positions = new List<int>(batch.Items.Count);
        for (var i = 0; i < batch.Items.Count; i++)
        {
            var (message, context) = batch.Items[i];
            if (message is UnknownMessage other)
            {
                LogSkipped(other.Type, context);
                continue;
            }

            items.Add(((T)message, context));
            positions.Add(i);
        }

        if (items.Count == 0)
        {
            return;
        }

        try
        {
            await handler(new MessageBatch<T>(items), cancellationToken).ConfigureAwait(false);
        }
        catch (BatchFailedException error) when (error.Index < positions.Count && positions[error.Index] != error.Index)
        {
            throw new BatchFailedException(positions[error.Index], error.InnerException);
        }
    }

    private void LogSkipped(string? type, MessageContext context)
    {
        var name = ForeignText.Name(type) ?? "(none)";
        if (_logged.Count < MaxTypesLogged && _logged.TryAdd(name, true))
        {
            SerializationLog.SkippedUnknownType(logger, name, context.Topic, context.Partition, context.Offset);
        }
    }
}
