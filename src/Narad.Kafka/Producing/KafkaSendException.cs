using Confluent.Kafka;

namespace Narad.Kafka;

/// <summary>A message was not acknowledged. The message names topic, key and the broker's reason.</summary>
public sealed class KafkaSendException : NaradKafkaException
{
    /// <summary>Creates the exception.</summary>
    public KafkaSendException(
        string message, string topic, MessageKey key, string reason, bool retriable, bool mayHaveBeenWritten, Exception? innerException = null)
        : base(message, innerException)
    {
        Topic = topic;
        Key = key;
        Reason = reason;
        Retriable = retriable;
        MayHaveBeenWritten = mayHaveBeenWritten;
    }

    /// <summary>The topic's real name.</summary>
    public string Topic { get; }

    /// <summary>The message's key.</summary>
    public MessageKey Key { get; }

    /// <summary>Kafka's name of the error, such as <c>UnknownTopicOrPart</c> or <c>MsgSizeTooLarge</c>.</summary>
    public string Reason { get; }

    /// <summary>Whether sending the same message again may succeed without anything being changed.</summary>
    public bool Retriable { get; }

    /// <summary>Whether the message may be in the topic although it was not acknowledged; sending it again may then duplicate it.</summary>
    public bool MayHaveBeenWritten { get; }

    /// <summary>Whether it was refused for its size, here or by the broker.</summary>
    internal bool IsTooLarge => string.Equals(Reason, nameof(ErrorCode.MsgSizeTooLarge), StringComparison.Ordinal);
}
