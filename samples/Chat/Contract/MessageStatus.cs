using System.Text.Json.Serialization;

namespace Chat.Contract;

/// <summary>
/// The status of a message: it is <see cref="Delivered"/> once one other user received it, <see cref="Read"/> once one other user read it. It never goes
/// backwards.
/// </summary>
[JsonConverter(typeof(MessageStatusConverter))]
public enum MessageStatus
{
    /// <summary>Kafka acknowledged it.</summary>
    Sent,

    /// <summary>Somebody else received it.</summary>
    Delivered,

    /// <summary>Somebody else read it.</summary>
    Read,
}

/// <summary>Writes <c>sent</c>, <c>delivered</c>, <c>read</c>; takes no numbers.</summary>
internal sealed class MessageStatusConverter()
    : JsonStringEnumConverter<MessageStatus>(System.Text.Json.JsonNamingPolicy.CamelCase, allowIntegerValues: false);
