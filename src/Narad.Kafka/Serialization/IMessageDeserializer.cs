namespace Narad.Kafka;

/// <summary>Turns bytes into messages. Thread-safe.</summary>
public interface IMessageDeserializer
{
    /// <summary>Deserializes one message; whatever it throws makes the message one that cannot be deserialized.</summary>
    /// <exception cref="SerializationUnavailableException">What it needs does not answer: the message waits and is deserialized again.</exception>
    /// <param name="data">The value; its memory belongs to the message.</param>
    /// <param name="type">The type that the handler takes.</param>
    /// <param name="context">Where the message came from.</param>
    /// <param name="cancellationToken">The handler's token.</param>
    ValueTask<object?> DeserializeAsync(ReadOnlyMemory<byte> data, Type type, MessageContext context, CancellationToken cancellationToken);
}
