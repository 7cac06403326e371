namespace Narad.Kafka;

/// <summary>Turns messages into bytes. Thread-safe.</summary>
public interface IMessageSerializer
{
    /// <summary>
    /// Serializes one message. Called when the message is sent; where it does not complete at once, the order of sending is kept all the same.
    /// </summary>
    /// <param name="message">The message; never null.</param>
    /// <param name="type">The type it was sent as.</param>
    /// <param name="topic">The topic's real name.</param>
    /// <param name="headers">The message's headers; may be added to.</param>
    /// <param name="cancellationToken">The sender's token.</param>
    /// <exception cref="SerializationUnavailableException">What it needs does not answer: the send fails and is retriable. Any other exception makes it
    /// fail for good.</exception>
    ValueTask<byte[]> SerializeAsync(object message, Type type, string topic, MessageHeaders headers, CancellationToken cancellationToken);
}
