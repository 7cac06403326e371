using System.Text;

namespace Narad.Kafka.Serialization;

/// <summary>
/// The message in a received value: raw bytes and text as they are, everything else through one deserializer. Whatever goes wrong is a
/// <see cref="MessageDeserializationException"/>, a value that is JSON's <c>null</c> included: only tombstones are null. Thread-safe.
/// </summary>
internal sealed class MessageDecoder
{
    private readonly IMessageDeserializer? _custom;
    private readonly JsonMessageSerializer? _json;

    /// <summary>The decoder of one subscription.</summary>
    /// <param name="options">The service's options.</param>
    /// <param name="deserializer">The subscription's own deserializer, where it names one.</param>
    public MessageDecoder(KafkaOptions options, IMessageDeserializer? deserializer = null)
    {
        deserializer ??= options.Deserializer;
        _json = deserializer is null ? new JsonMessageSerializer(options.Json) : deserializer as JsonMessageSerializer;
        _custom = _json is null ? deserializer : null;
    }

    /// <summary>A decoder that asks this deserializer for everything.</summary>
    public MessageDecoder(IMessageDeserializer deserializer) => _custom = deserializer;

    /// <summary>The message; complete at once for raw types and JSON. Never called for tombstones.</summary>
    /// <exception cref="MessageDeserializationException">The value is not a <typeparamref name="T"/>.</exception>
    /// <exception cref="SerializationUnavailableException">What the deserializer needs does not answer.</exception>
    /// <exception cref="UnknownMessageTypeException">Handlers are chosen by type, and there is none for this one.</exception>
    public ValueTask<T> DecodeAsync<T>(ReadOnlyMemory<byte> data, MessageContext context, CancellationToken cancellationToken)
    {
        if (_custom is not null && !RawSerialization.IsRaw<T>())
        {
            return DecodeCustomAsync<T>(data, context, cancellationToken);
        }

        try
        {
            return new ValueTask<T>(RawSerialization.IsRaw<T>()
                ? RawSerialization.Read<T>(data)
                : NotNull(_json!.Deserialize<T>(data.Span), context));
        }
        catch (DecoderFallbackException)
        {
            throw new MessageDeserializationException(context, typeof(T), "it is not UTF-8 text; take byte[] to get it as it is");
        }
        catch (Exception e) when (e is not MessageDeserializationException)
        {
            throw MessageDeserializationException.From(e, typeof(T), context);
        }
    }

    private static T NotNull<T>(T? message, MessageContext context) => message is null
        ? throw new MessageDeserializationException(context, typeof(T), "it is JSON's null, which is not a tombstone and not a message")
        : message;

    private async ValueTask<T> DecodeCustomAsync<T>(ReadOnlyMemory<byte> data, MessageContext context, CancellationToken cancellationToken)
    {
        object? message;
        try
        {
            message = await _custom!.DeserializeAsync(data, typeof(T), context, cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            throw;
        }
        catch (Exception e) when (e is not (MessageDeserializationException or UnknownMessageTypeException or SerializationUnavailableException))
        {
            throw MessageDeserializationException.From(e, typeof(T), context);
        }

        return message switch
        {
            T typed => typed,
            null => throw new MessageDeserializationException(context, typeof(T), "the deserializer returned null, which is not a message"),
            _ => throw new MessageDeserializationException(context, typeof(T), $"the deserializer returned a {message.GetType().Name}"),
        };
    }
}
