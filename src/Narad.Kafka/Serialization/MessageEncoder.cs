using System.Diagnostics.CodeAnalysis;

namespace Narad.Kafka.Serialization;

/// <summary>
/// The value of an outgoing message: raw bytes and text as they are, an envelope with its source filled in, everything else through the
/// serializer that the options name, JSON by default. Thread-safe.
/// </summary>
internal sealed class MessageEncoder
{
    private readonly string _clientId;
    private readonly IMessageSerializer? _custom;
    private readonly JsonMessageSerializer? _json;

    public MessageEncoder(KafkaOptions options)
    {
        _clientId = options.ClientId;
        _json = options.Serializer is null ? new JsonMessageSerializer(options.Json) : options.Serializer as JsonMessageSerializer;
        _custom = _json is null ? options.Serializer : null;
    }

    /// <summary>Whether <see cref="TryEncode{T}"/> answers for every message: then headers are not looked at either.</summary>
    public bool IsSynchronous => _custom is null;

    /// <summary>
    /// The value, where it takes no serializer of the application: for raw messages always, for all others where <see cref="IsSynchronous"/>.
    /// </summary>
    public bool TryEncode<T>(T message, [NotNullWhen(true)] out byte[]? value)
    {
        if (RawSerialization.TryWrite(message, out value))
        {
            return true;
        }

        if (_json is null)
        {
            return false;
        }

        // A message sent as an interface or a base class may be an envelope too: its own type decides, not T.
        value = message is ISourced envelope
            ? _json.Serialize(envelope.WithSource(_clientId), typeof(T))
            : _json.Serialize(message);
        return true;
    }

    /// <summary>The value of a message whose type is not known at compile time: see <see cref="TryEncode{T}"/>.</summary>
    public bool TryEncode(object message, Type type, [NotNullWhen(true)] out byte[]? value)
    {
        if (RawSerialization.TryWrite(message, out value))
        {
            return true;
        }

        value = _json?.Serialize(Sourced(message), type);
        return value is not null;
    }

    /// <summary>The value, whatever it takes; complete at once where <see cref="TryEncode(object, Type, out byte[])"/> would have answered.</summary>
    /// <param name="message">The message.</param>
    /// <param name="type">The type it was sent as.</param>
    /// <param name="topic">The topic's real name.</param>
    /// <param name="headers">The message's headers; may be added to.</param>
    /// <param name="serializer">The serializer of the message's route; null: the service's.</param>
    /// <param name="cancellationToken">The sender's token.</param>
    public ValueTask<byte[]> EncodeAsync(
        object message, Type type, string topic, MessageHeaders headers, IMessageSerializer? serializer, CancellationToken cancellationToken)
    {
        if (serializer is null ? TryEncode(message, type, out var value) : RawSerialization.TryWrite(message, out value))
        {
            return new(value);
        }

        var custom = serializer ?? _custom!;
        return NotNull(custom.SerializeAsync(Sourced(message), type, topic, headers, cancellationToken), custom);
    }

    // Null would be sent as a tombstone, which deletes what the key had.
    private static ValueTask<byte[]> NotNull(ValueTask<byte[]> encoding, IMessageSerializer serializer)
    {
        return encoding.IsCompletedSuccessfully ? new(Checked(encoding.Result)) : AwaitAsync();

        async ValueTask<byte[]> AwaitAsync() => Checked(await encoding.ConfigureAwait(false));

        byte[] Checked(byte[]? value) => value
            ?? throw new InvalidOperationException($"the serializer {serializer.GetType()} answered null, which only a tombstone is (SendTombstoneAsync)");
    }

    private object Sourced(object message) => message is ISourced envelope ? envelope.WithSource(_clientId) : message;
}
