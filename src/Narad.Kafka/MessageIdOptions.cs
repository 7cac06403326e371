namespace Narad.Kafka;

/// <summary>
/// Where the id of a message comes from. The first of these that gives a value that is not empty: <see cref="IdSelector"/>, the property
/// <see cref="IdProperty"/> of the JSON value, the header
/// <see cref="IdHeader"/>, the id of a <see cref="MessageEnvelope{T}"/>. Otherwise a UUIDv5 of cluster id, group, topic, partition, offset and timestamp,
/// those of the source topic where the message
/// came through a retry topic.
/// </summary>
public class MessageIdOptions
{
    /// <summary>The header that has the id, as UTF-8 text. Default <c>message-id</c>; null: no header is read.</summary>
    public string? IdHeader { get; set; } = "message-id";

    /// <summary>The name of the property of the JSON value (at its root) that has the id, a text or a number. Default: none.</summary>
    public string? IdProperty { get; set; }

    /// <summary>
    /// Returns the id of a message; null or empty: the other sources decide. Must return the same id whenever it sees the message again. Code only.
    /// </summary>
    public Func<object?, MessageContext, string?>? IdSelector { get; set; }
}
