namespace Narad.Kafka;

/// <summary>How a subscription stores its messages.</summary>
/// <typeparam name="T">The message's type.</typeparam>
public sealed class MessageStoreOptions<T> : MessageIdOptions
{
    /// <summary>What happens to a message whose id is stored already. Default <see cref="MessageWriteMode.InsertIfAbsent"/>.</summary>
    public MessageWriteMode WriteMode { get; set; }

    /// <summary>
    /// The version of a message, for <see cref="MessageWriteMode.ReplaceIfNewer"/>. Default: the message's timestamp in milliseconds. Of two messages of the
    /// same version the first one stays.
    /// </summary>
    public Func<T, MessageContext, long>? VersionSelector { get; set; }

    /// <summary>What is stored of a message, of a type that the store knows (MongoDB: <c>BsonDocument</c>). Default: the message with its
    /// coordinates.</summary>
    public Func<T, MessageContext, object>? DocumentSelector { get; set; }

    /// <summary>How long a stored message is kept. 1 s to 10,000 days; default: for ever.</summary>
    public TimeSpan? Retention { get; set; }

    /// <summary>The store. Default: the one that is registered in the container (<c>AddMongo</c>).</summary>
    public IMessageStore? Store { get; set; }
}
