using System.Globalization;
using System.Text.Json;

namespace Narad.Kafka;

/// <summary>
/// A message cannot be turned into what its handler takes. Says where the message is and where in it the fault is, and never quotes it: so a
/// <see cref="JsonException"/>, whose text may, is not the <see cref="Exception.InnerException"/>.
/// </summary>
public sealed class MessageDeserializationException : NaradKafkaException
{
    /// <summary>Creates the exception.</summary>
    /// <param name="context">Where the message came from.</param>
    /// <param name="messageType">What it should have become.</param>
    /// <param name="reason">Why it did not; must not quote the message.</param>
    /// <param name="innerException">What the deserializer threw.</param>
    public MessageDeserializationException(MessageContext context, Type messageType, string reason, Exception? innerException = null)
        : base(Compose(context, messageType, reason), innerException)
    {
        Topic = context.Topic;
        Partition = context.Partition;
        Offset = context.Offset;
        MessageType = messageType;
    }

    /// <summary>The topic's real name.</summary>
    public string Topic { get; }

    /// <summary>The partition.</summary>
    public int Partition { get; }

    /// <summary>The offset.</summary>
    public long Offset { get; }

    /// <summary>What the message should have become.</summary>
    public Type MessageType { get; }

    internal static MessageDeserializationException From(Exception cause, Type messageType, MessageContext context) => cause switch
    {
        JsonException json => new(context, messageType, Describe(json)),
        _ => new(context, messageType, $"the deserializer threw {cause.GetType().Name}", cause),
    };

    private static string Describe(JsonException json) => json.LineNumber is { } line && json.BytePositionInLine is { } position
        ? string.Create(CultureInfo.InvariantCulture, $"it is not JSON that fits: line {line + 1}, byte {position + 1}")
        : "it is not JSON that fits";

    private static string Compose(MessageContext context, Type messageType, string reason)
    {
        ArgumentNullException.ThrowIfNull(context);
        ArgumentNullException.ThrowIfNull(messageType);
        return string.Create(
            CultureInfo.InvariantCulture,
            $"The message at {context.Topic}[{context.Partition}]@{context.Offset} cannot be read as {messageType.Name}: {reason}.");
    }
}
