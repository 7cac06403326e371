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

    /// <summary>Whether no broker took it in time, whatever the message: any other would have met the same.</summary>
    internal bool IsOutage => Reason is nameof(ErrorCode.Local_MsgTimedOut) or nameof(ErrorCode.Local_TimedOut) or nameof(ErrorCode.Local_TimedOutQueue)
        or nameof(ErrorCode.Local_Transport) or nameof(ErrorCode.Local_AllBrokersDown) or nameof(ErrorCode.RequestTimedOut)
        or nameof(ErrorCode.NetworkException) or nameof(ErrorCode.BrokerNotAvailable) or nameof(ErrorCode.LeaderNotAvailable)
        or nameof(ErrorCode.NotLeaderForPartition) or nameof(ErrorCode.ReplicaNotAvailable) or nameof(ErrorCode.NotEnoughReplicas)
        or nameof(ErrorCode.NotEnoughReplicasAfterAppend) or nameof(ErrorCode.KafkaStorageError);
}
