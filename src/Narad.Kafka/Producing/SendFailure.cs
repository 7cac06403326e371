using System.Globalization;
using Confluent.Kafka;
using Narad.Kafka.Diagnostics;
using Narad.Kafka.Transports;

namespace Narad.Kafka.Producing;

/// <summary>Why sends fail, in words: the one place where a <see cref="KafkaSendException"/> is made.</summary>
internal static class SendFailure
{
    /// <summary>The client or the broker refused it.</summary>
    public static KafkaSendException Refused(PendingSend send, ErrorCode code, string? reason, bool mayHaveBeenWritten)
        => Create(send, Name(code), Explain(send, code, reason), IsRetriable(code), mayHaveBeenWritten);

    /// <summary>A fatal error ended the client that it was with.</summary>
    public static KafkaSendException Fatal(PendingSend send, Error fatal, bool mayHaveBeenWritten)
        => Create(send, Name(fatal.Code), MissingRight.ToSend(fatal.Code, send.Queue.Topic) is { } right ? $"{right} ({Text(fatal)})"
            : $"the producer met a fatal error: {Text(fatal)}", retriable: !IsAuthorization(fatal.Code), mayHaveBeenWritten);

    /// <summary>It waited in the queue for longer than a send may take.</summary>
    public static KafkaSendException TimedOut(PendingSend send, TimeSpan timeout, string waitedFor)
        => Create(send, Name(ErrorCode.Local_MsgTimedOut), $"it waited {Duration.Text(timeout)} for {waitedFor}", retriable: true, mayHaveBeenWritten: false);

    /// <summary>The service was disconnected before there was an answer.</summary>
    public static KafkaSendException Unknown(PendingSend send, bool mayHaveBeenWritten)
        => Create(send, "Disconnected", "the service was disconnected before the broker answered; what became of the message is unknown", retriable: true,
            mayHaveBeenWritten);

    /// <summary>Its topic could not be created.</summary>
    public static KafkaSendException NoTopic(PendingSend send, Exception cause)
        => Create(send, Name(ErrorCode.UnknownTopicOrPart), $"the topic could not be created: {cause.Message}", retriable: true, mayHaveBeenWritten: false,
            cause);

    /// <summary>Its serializer threw.</summary>
    public static KafkaSendException NotSerialized(string topic, MessageKey key, Exception cause)
        => Create(topic, key, Name(ErrorCode.Local_ValueSerialization), $"it could not be serialized: {ExceptionText.Message(cause)}",
            retriable: cause is SerializationUnavailableException, mayHaveBeenWritten: false, cause);

    /// <summary>It has more bytes than the service sends.</summary>
    public static KafkaSendException TooLarge(string topic, MessageKey key, int size, int limit)
        => Create(topic, key, Name(ErrorCode.MsgSizeTooLarge),
            string.Create(CultureInfo.InvariantCulture, $"the message is too large: it has {size} bytes with key and headers, and Kafka:MaxMessageBytes is "
                + $"{limit}"), retriable: false, mayHaveBeenWritten: false, cause: null);

    /// <summary>A message of a transaction was refused: whatever was sent in that one, nothing of it counts.</summary>
    public static KafkaSendException InTransaction(string topic, MessageKey key, ErrorCode code, string? reason, bool retriable)
        => Create(topic, key, Name(code), $"{reason ?? code.GetReason()} (its transaction is aborted where it was on its way)", retriable,
            mayHaveBeenWritten: false, cause: null);

    /// <summary>Its sender stopped waiting.</summary>
    public static KafkaSendCanceledException Cancelled(string topic, bool mayHaveBeenWritten, CancellationToken cancellationToken) => new(
        mayHaveBeenWritten
            ? $"Waiting for the acknowledgement of a message to topic '{topic}' was cancelled. The client has the message and keeps sending it: it may be "
                + "written."
            : $"Sending a message to topic '{topic}' was cancelled while it waited in the send queue. The message was not written.",
        topic,
        mayHaveBeenWritten,
        cancellationToken);

    /// <summary>Errors that another client would meet again at once: what is missing is a right, not luck.</summary>
    public static bool IsAuthorization(ErrorCode code) => code
        is ErrorCode.ClusterAuthorizationFailed
        or ErrorCode.TransactionalIdAuthorizationFailed
        or ErrorCode.TopicAuthorizationFailed
        or ErrorCode.GroupAuthorizationFailed
        or ErrorCode.SaslAuthenticationFailed
        or ErrorCode.Local_Authentication;

    /// <summary>
    /// Whether an answer of <c>Produce</c> itself means that the client is dead. Once it met a fatal error it answers with that error's plain code, which is
    /// a broker's; a broker's code for a topic or a message is about this send only.
    /// </summary>
    public static bool IsFatalAnswer(Error error) => error.IsFatal || ((int)error.Code > 0 && error.Code
        is not ErrorCode.MsgSizeTooLarge
        and not ErrorCode.UnknownTopicOrPart
        and not ErrorCode.TopicException
        and not ErrorCode.TopicAuthorizationFailed);

    public static string Text(Error error) =>
        string.IsNullOrEmpty(error.Reason) || string.Equals(error.Reason, error.Code.GetReason(), StringComparison.Ordinal)
        ? $"{error.Code.GetReason()} ({Name(error.Code)})"
        : $"{ForeignText.Reason(error.Reason)} ({Name(error.Code)})";

    /// <summary>Kafka's name of an error, also where the client found it out by itself.</summary>
    public static string Name(ErrorCode code) => code switch
    {
        ErrorCode.Local_UnknownTopic => nameof(ErrorCode.UnknownTopicOrPart),
        _ => code.ToString(),
    };

    private static string Explain(PendingSend send, ErrorCode code, string? reason) => code switch
    {
        ErrorCode.Local_UnknownTopic or ErrorCode.UnknownTopicOrPart => "the topic does not exist: create it, or set Kafka:TopicCreation to IfMissing",
        ErrorCode.Local_UnknownPartition =>
            string.Create(CultureInfo.InvariantCulture,
                $"the topic has no partition {send.Partition}, as far as the client knows: one that was added a few seconds ago is found by itself, so send "
                    + $"again"),
        ErrorCode.MsgSizeTooLarge => string.Create(
            CultureInfo.InvariantCulture,
            $"the message is too large: it has {send.Bytes} bytes with key and headers, Kafka:MaxMessageBytes is {send.MaxMessageBytes}, and the topic's "
                + $"max.message.bytes may be lower"),
        ErrorCode.InvalidRecord => "the broker refused the record (a topic with cleanup.policy=compact takes none without a key)",
        ErrorCode.InvalidTimestamp =>
            "the broker refused its timestamp: it is too far from the present (message.timestamp.after.max.ms and message.timestamp.before.max.ms of the "
                + "topic)",
        ErrorCode.Local_InvalidDifferentRecord => "the broker refused its batch for another record in it",
        ErrorCode.Local_MsgTimedOut => "no acknowledgement came within SendTimeout",
        ErrorCode.Local_QueueFull => "the message does not fit into the client's queue (queue.buffering.max.kbytes)",
        _ => MissingRight.ToSend(code, send.Queue.Topic) ?? reason ?? code.GetReason(),
    };

    public static bool IsRetriable(ErrorCode code) => code
        is ErrorCode.Local_MsgTimedOut
        or ErrorCode.Local_TimedOut
        or ErrorCode.Local_TimedOutQueue
        or ErrorCode.Local_Transport
        or ErrorCode.Local_AllBrokersDown
        or ErrorCode.Local_PurgeQueue
        or ErrorCode.Local_PurgeInflight
        or ErrorCode.Local_QueueFull
        or ErrorCode.Local_InvalidDifferentRecord
        or ErrorCode.Local_UnknownPartition
        or ErrorCode.RequestTimedOut
        or ErrorCode.LeaderNotAvailable
        or ErrorCode.NotLeaderForPartition
        or ErrorCode.BrokerNotAvailable
        or ErrorCode.ReplicaNotAvailable
        or ErrorCode.NetworkException
        or ErrorCode.NotEnoughReplicas
        or ErrorCode.NotEnoughReplicasAfterAppend
        or ErrorCode.KafkaStorageError
        or ErrorCode.ThrottlingQuotaExceeded
        or ErrorCode.OutOfOrderSequenceNumber
        or ErrorCode.UnknownProducerId
        or ErrorCode.InvalidProducerEpoch;

    private static KafkaSendException Create(PendingSend send, string code, string reason, bool retriable, bool mayHaveBeenWritten, Exception? cause = null)
        => Create(send.Queue.Topic, send.Key, code, reason, retriable, mayHaveBeenWritten, cause);

    private static KafkaSendException Create(
        string topic, MessageKey key, string code, string reason, bool retriable, bool mayHaveBeenWritten, Exception? cause)
        => new(
            $"Sending to topic '{topic}' failed, key {key}: {reason} [{code}]. "
                + $"{(mayHaveBeenWritten ? "It may have been written: sending it again may duplicate it." : "It was not written.")}",
            topic,
            key,
            code,
            retriable,
            mayHaveBeenWritten,
            cause);
}
