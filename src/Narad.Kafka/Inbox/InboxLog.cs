using Microsoft.Extensions.Logging;

namespace Narad.Kafka.Inbox;

/// <summary>What the inbox does: events 9100 to 9149.</summary>
internal static partial class InboxLog
{
    [LoggerMessage(9100, LogLevel.Information, "Group '{Group}' handles each message of '{Topic}' once: what a handler writes through its session commits "
        + "together with the note that it was handled.")]
    public static partial void Transactional(ILogger logger, string topic, string group);

    [LoggerMessage(9101, LogLevel.Warning, "Group '{Group}' handles messages of '{Topic}' once, but without transactions: a message whose process dies while "
        + "its handler runs, or right after, is handled again. Use a store with transactions (MongoDB: a replica set) to have the effects exactly once.")]
    public static partial void AtLeastOnce(ILogger logger, string topic, string group);

    [LoggerMessage(9102, LogLevel.Warning, "Once:Retention of group '{Group}' is {Retention} and the retention of topic '{Topic}' is {TopicRetention}: a "
        + "message that is read again after that is handled again. Set Once.Retention to at least the topic's.")]
    public static partial void ShortRetention(ILogger logger, string topic, string group, string retention, string topicRetention);

    [LoggerMessage(9103, LogLevel.Debug, "{Partition} offset {Offset} was handled by group '{Group}' before (message id {Id}); it is finished without its "
        + "handler.")]
    public static partial void RedeliverySkipped(ILogger logger, TopicPartitionId partition, long offset, string group, string id);

    [LoggerMessage(9104, LogLevel.Warning, "{Partition} offset {Offset} has the message id {Id} of {First}, which group '{Group}' has handled: it is no "
        + "redelivery, and it is skipped as a duplicate. If it is another message, let its sender give it an id of its own. Logged once while this lasts.")]
    public static partial void RepeatSkipped(ILogger logger, TopicPartitionId partition, long offset, string group, string id, TopicPartitionOffsetId first);

    [LoggerMessage(9105, LogLevel.Warning, "{Partition} offset {Offset} was sent again as a dead letter and skipped: group '{Group}' has handled message id "
        + "{Id} ({First}). To handle it once more, redrive it with RedriveOptions.HandleAgain.")]
    public static partial void RedriveSkipped(ILogger logger, TopicPartitionId partition, long offset, string group, string id, string first);

    [LoggerMessage(9106, LogLevel.Error, "{Partition} offset {Offset} of group '{Group}' is handled and committed, but what its handler sent could not be "
        + "sent; trying again in {Delay}.")]
    public static partial void OutputFailed(ILogger logger, Exception error, TopicPartitionId partition, long offset, string group, string delay);

    [LoggerMessage(9107, LogLevel.Error, "{Partition} offset {Offset} of group '{Group}' is handled and committed, and {Count} message(s) that its handler "
        + "sent were not sent: its partition was revoked or its time limit was reached. They are not sent again.")]
    public static partial void OutputsLost(ILogger logger, TopicPartitionId partition, long offset, string group, int count);
}
