using Confluent.Kafka;
using Microsoft.Extensions.Logging;

namespace Narad.Kafka.Consuming;

/// <summary>What consuming logs. Events 3000 to 3999.</summary>
internal static partial class ConsumingLog
{
    [LoggerMessage(3000, LogLevel.Information, "Group '{Group}' joined; subscription to '{Topic}' is running.")]
    public static partial void Joined(ILogger logger, string topic, string group);

    [LoggerMessage(3001, LogLevel.Information, "Group '{Group}' was assigned {Count} more partition(s) and has {All} now.")]
    public static partial void Assigned(ILogger logger, int count, int all, string group);

    [LoggerMessage(3002, LogLevel.Information, "Group '{Group}' gives {Count} of its {All} partition(s) back.")]
    public static partial void Revoked(ILogger logger, int count, int all, string group);

    [LoggerMessage(3003, LogLevel.Warning,
        "Group '{Group}' lost {Count} partition(s): another member may handle them already. Running handlers were cancelled; what they did not "
        + "finish is delivered again.")]
    public static partial void Lost(ILogger logger, int count, string group);

    [LoggerMessage(3004, LogLevel.Warning,
        "{Running} handler(s) of {Partition} in group '{Group}' did not finish within RevokeTimeout ({Timeout}) and were cancelled; their messages "
        + "are delivered again.")]
    public static partial void RevokeDeadline(ILogger logger, TopicPartitionId partition, int running, string timeout, string group);

    [LoggerMessage(3010, LogLevel.Debug, "Received {Topic}[{Partition}] offset {Offset} in group '{Group}'.")]
    public static partial void Received(ILogger logger, string topic, int partition, long offset, string group);

    [LoggerMessage(3011, LogLevel.Debug, "The handler of {Partition} offset {Offset} was cancelled; the message stays unfinished.")]
    public static partial void Abandoned(ILogger logger, TopicPartitionId partition, long offset);

    [LoggerMessage(3012, LogLevel.Debug,
        "The handler of {Partition} offset {Offset} failed at attempt {Attempt}; it is retried in memory (up to {Retries} times) in {Delay}. {Error}")]
    public static partial void RetryingInMemory(ILogger logger, TopicPartitionId partition, long offset, int attempt, int retries, string delay, string error);

    [LoggerMessage(3013, LogLevel.Error, "A delegate of the retry options threw; the failure is treated as if it had not been given.")]
    public static partial void RetryDelegateFailed(ILogger logger, Exception error);

    [LoggerMessage(3014, LogLevel.Error, "What a handler registered on its cancellation token threw.")]
    public static partial void CancellationFailed(ILogger logger, Exception error);

    [LoggerMessage(3015, LogLevel.Error,
        "Moved to DLQ: {Partition} offset {Offset} of group '{Group}' is in '{Topic}'[{RecordPartition}] offset {RecordOffset} now.")]
    public static partial void MovedToDeadLetters(
        ILogger logger, Exception error, TopicPartitionId partition, long offset, string group, string topic, int recordPartition, long recordOffset);

    [LoggerMessage(3016, LogLevel.Error,
        "{Partition} offset {Offset} of group '{Group}' could not be moved to '{Topic}'. It stays unfinished, holds its key, and is tried again in "
        + "{Delay}. Further failures are logged at Debug until that topic takes messages again.")]
    public static partial void PublishFailed(ILogger logger, Exception error, TopicPartitionId partition, long offset, string group, string topic,
        string delay);

    [LoggerMessage(3005, LogLevel.Debug,
        "{Partition} offset {Offset} of group '{Group}' could not be moved to '{Topic}' either, and is tried again in {Delay}: {Error}")]
    public static partial void PublishFailedAgain(ILogger logger, TopicPartitionId partition, long offset, string group, string topic, string delay,
        string error);

    [LoggerMessage(3017, LogLevel.Warning, "{Partition} offset {Offset} of group '{Group}' was SKIPPED by policy: it is finished without having been handled.")]
    public static partial void SkippedByPolicy(ILogger logger, Exception error, TopicPartitionId partition, long offset, string group);

    [LoggerMessage(3018, LogLevel.Information,
        "Retry scheduled #{Retry}: {Partition} offset {Offset} of group '{Group}' is due at {Due:O}; it waits in '{Topic}'[{RecordPartition}] offset "
        + "{RecordOffset}. {Error}")]
    public static partial void RetryScheduled(
        ILogger logger, int retry, TopicPartitionId partition, long offset, string group, DateTimeOffset due, string topic, int recordPartition,
            long recordOffset, string error);

    [LoggerMessage(3019, LogLevel.Error,
        "{Partition} offset {Offset} of group '{Group}' is too large for '{Topic}' with the headers that a retry needs, so it becomes a dead letter "
        + "now. Give that topic a larger max.message.bytes.")]
    public static partial void TooLargeToRetry(ILogger logger, TopicPartitionId partition, long offset, string group, string topic);

    [LoggerMessage(3070, LogLevel.Warning,
        "'{Topic}' holds messages without the header narad-group, the first one {Partition} offset {Offset}: group '{Group}' leaves them alone. If "
        + "they are to be handled, set Retry.Topic.AdoptRecordsWithoutGroup in the retry options of one group.")]
    public static partial void Ungrouped(ILogger logger, string topic, TopicPartitionId partition, long offset, string group);

    [LoggerMessage(3071, LogLevel.Critical,
        "{Count} message(s) that waited for their retry in group '{Group}' are not in '{Topic}' any more, the first one {Partition} offset {Offset}: "
        + "retention or somebody deleted them before they were handled again. Give the topic a longer retention.ms.")]
    public static partial void RetriesGone(ILogger logger, long count, string group, string topic, TopicPartitionId partition, long offset);

    [LoggerMessage(3077, LogLevel.Critical,
        "Retry topic '{Topic}' was deleted while group '{Group}' read it. Failed messages of '{Source}' that waited there are lost: those of 'Retry "
        + "scheduled' (event 3018) that were not handled since. {Count} message(s) waited in this member's retry topics when they were last looked at. "
        + "Send them again.")]
    public static partial void RetryTopicDeleted(ILogger logger, string topic, string group, string source, long count);

    [LoggerMessage(3072, LogLevel.Debug,
        "Group '{Group}' moves {Count} retries of {Partition} to the end of their topic: they waited in front of what was finished, or of what was "
        + "not read yet.")]
    public static partial void Republishing(ILogger logger, string group, int count, TopicPartitionId partition);

    [LoggerMessage(3073, LogLevel.Information,
        "'{Topic}' in group '{Group}' is ordered by key only until a message fails: what goes through the retry topic is overtaken by what is behind "
        + "it. Set Retry.AllowReorder where that is right.")]
    public static partial void OrderEnds(ILogger logger, string topic, string group);

    [LoggerMessage(3074, LogLevel.Error,
        "A failure observer threw for {Partition} offset {Offset}; the retry record or dead letter of the message is written all the same.")]
    public static partial void ObserverFailed(ILogger logger, Exception error, TopicPartitionId partition, long offset);

    [LoggerMessage(3075, LogLevel.Error,
        "The retry and dead-letter topics of '{Topic}' in group '{Group}' could not be seen to; it is tried again when a message fails.")]
    public static partial void FailureTopicsNotEnsured(ILogger logger, Exception error, string topic, string group);

    [LoggerMessage(3076, LogLevel.Warning,
        "{Partition} offset {Offset}, which waits for its retry in group '{Group}', could not be moved out of the way of what is finished behind it, "
        + "which may be handled again.")]
    public static partial void RepublishFailed(ILogger logger, Exception error, TopicPartitionId partition, long offset, string group);

    [LoggerMessage(3089, LogLevel.Warning,
        "Could not save the progress of blocked keys before group '{Group}' lost their partitions. Messages of these keys may be redelivered, in "
        + "order.")]
    public static partial void KeyCheckpointsNotWritten(ILogger logger, Exception? error, string group);

    [LoggerMessage(3020, LogLevel.Critical,
        "{Partition} STOPPED at offset {Offset} in group '{Group}': no policy covers this failure, and nothing is skipped. Fix the cause, then call "
        + "ResumeAsync, or SkipFailedMessageAsync to leave this message out, or restart.")]
    public static partial void Stopped(ILogger logger, Exception reason, TopicPartitionId partition, long offset, string group);

    [LoggerMessage(3029, LogLevel.Critical,
        "{Partition} STOPPED in group '{Group}': it cannot be read from offset {Offset}, and nothing is skipped. Decide where to continue: "
        + "ResumeAsync starts at its first message, SeekAsync at an offset. A restart decides nothing.")]
    public static partial void Unreadable(ILogger logger, Exception reason, TopicPartitionId partition, long offset, string group);

    [LoggerMessage(3034, LogLevel.Error,
        "LOG TRUNCATED: {Partition} ends at offset {LogEnd}, but group '{Group}' stands at offset {Offset}. An unclean leader election lost the "
        + "messages between; what was sent since may have their offsets.")]
    public static partial void LogTruncated(ILogger logger, TopicPartitionId partition, string logEnd, long offset, string group);

    [LoggerMessage(3037, LogLevel.Error,
        "LOG TRUNCATED: {Partition} ends at offset {LogEnd}, and group '{Group}' had read to offset {Offset} before it lost the partition. An "
        + "unclean leader election lost the messages between, those included that waited there for their retry.")]
    public static partial void ReadAndTruncated(ILogger logger, TopicPartitionId partition, long logEnd, long offset, string group);

    [LoggerMessage(3021, LogLevel.Information, "{Partition} in group '{Group}' continues.")]
    public static partial void Resumed(ILogger logger, TopicPartitionId partition, string group);

    [LoggerMessage(3022, LogLevel.Warning,
        "{Partition} offset {Offset} in group '{Group}' was SKIPPED on request: it is finished without having been handled.")]
    public static partial void Skipped(ILogger logger, TopicPartitionId partition, long offset, string group);

    [LoggerMessage(3023, LogLevel.Warning, "{Partition} in group '{Group}' continues at the first message that is left, on request.")]
    public static partial void ResumedFromEarliest(ILogger logger, TopicPartitionId partition, string group);

    [LoggerMessage(3024, LogLevel.Warning, "{Partition} in group '{Group}' was RESET to {Position} by policy: offset {Offset} is not there any more.")]
    public static partial void OffsetReset(ILogger logger, TopicPartitionId partition, long offset, string position, string group);

    [LoggerMessage(3025, LogLevel.Warning,
        "The offsets of {Partition} went back to {Offset} in group '{Group}': the topic was created again, or the position was set back. Tracking "
        + "begins anew.")]
    public static partial void OffsetsWentBack(ILogger logger, TopicPartitionId partition, long offset, string group);

    [LoggerMessage(3026, LogLevel.Warning,
        "Committing {Topic}[{Partition}] back to offset {Offset} did not succeed; after a restart the group may find its old offset out of range.")]
    public static partial void CommitBackFailed(ILogger logger, Exception? error, string topic, int partition, long offset);

    [LoggerMessage(3027, LogLevel.Warning,
        "Topic '{Topic}' was deleted and created again. Group '{Group}' continues at the first message of its {Count} partition(s) here; what it has "
        + "handled of the new topic already is handled again.")]
    public static partial void TopicRecreated(ILogger logger, string topic, int count, string group);

    [LoggerMessage(3028, LogLevel.Debug, "Whether a topic of group '{Group}' was created again could not be looked up; trying again.")]
    public static partial void IdsUnknown(ILogger logger, Exception error, string group);

    [LoggerMessage(3030, LogLevel.Warning,
        "Topic '{Topic}' does not exist. Group '{Group}' starts within 5 s of its creation; create it, or set TopicCreation to IfMissing.")]
    public static partial void TopicMissing(ILogger logger, string topic, string group);

    [LoggerMessage(3031, LogLevel.Warning, "Looking for the missing topics of group '{Group}' failed; trying again.")]
    public static partial void TopicCheckFailed(ILogger logger, Exception error, string group);

    [LoggerMessage(3033, LogLevel.Warning, "No topic matches '{Pattern}' yet. Group '{Group}' starts within seconds of the creation of one that does.")]
    public static partial void NoTopicMatches(ILogger logger, string pattern, string group);

    [LoggerMessage(3035, LogLevel.Information, "Group '{Group}' may read topic '{Topic}' again.")]
    public static partial void ReadableAgain(ILogger logger, string topic, string group);

    [LoggerMessage(3032, LogLevel.Information, "[DEV] Would subscribe to {Topic} in group {Group}")]
    public static partial void ConsoleSubscription(ILogger logger, string topic, string group);

    [LoggerMessage(3080, LogLevel.Error,
        "The circuit of '{Topic}' in group '{Group}' OPENED: {Failures} of {Messages} message(s) failed within {Window}, the last one as follows. "
        + "Nothing of it is started for {Wait}, then one message is tried. Offsets stay; fix what the handler needs.")]
    public static partial void CircuitOpened(
        ILogger logger, Exception error, string topic, string group, long failures, long messages, string window, string wait);

    [LoggerMessage(3081, LogLevel.Warning,
        "The circuit of '{Topic}' in group '{Group}' stays open: {Partition} offset {Offset} was tried and failed. One message is tried again in "
        + "{Wait}.")]
    public static partial void ProbeFailed(ILogger logger, Exception error, string topic, string group, TopicPartitionId partition, long offset, string wait);

    [LoggerMessage(3082, LogLevel.Information,
        "The circuit of '{Topic}' in group '{Group}' closed after {Time}: the message that was tried succeeded, and all continue.")]
    public static partial void CircuitClosed(ILogger logger, string topic, string group, string time);

    [LoggerMessage(3083, LogLevel.Warning,
        "{Partition} offset {Offset} of group '{Group}' was tried {Probes} times while the circuit was open and failed each time: it is treated like "
        + "any message that fails, in case it is to blame.")]
    public static partial void ProbeCounted(ILogger logger, TopicPartitionId partition, long offset, string group, int probes);

    [LoggerMessage(3084, LogLevel.Debug,
        "The handler of {Partition} offset {Offset} in group '{Group}' failed while its circuit is open; the message waits where it is, and the "
        + "attempt does not count.")]
    public static partial void HandedBack(ILogger logger, Exception error, TopicPartitionId partition, long offset, string group);

    [LoggerMessage(3040, LogLevel.Warning, "The client of group '{Group}' reports {Code}: {Reason}")]
    public static partial void ClientError(ILogger logger, ErrorCode code, string reason, string group);

    [LoggerMessage(3041, LogLevel.Error,
        "The client of group '{Group}' failed for good ({Code}: {Reason}). Its partitions count as lost and a new client is built; nothing was "
        + "committed past.")]
    public static partial void FatalError(ILogger logger, ErrorCode code, string reason, string group);

    [LoggerMessage(EventId = 3042, Message =
        "Committing offsets of group '{Group}' failed ({Code}: {Reason}); it is tried again, and what is not committed may be delivered again after "
        + "a crash.")]
    public static partial void CommitFailed(ILogger logger, LogLevel level, ErrorCode code, string reason, string group);

    [LoggerMessage(3043, LogLevel.Error, "A callback of group '{Group}' failed.")]
    public static partial void CallbackFailed(ILogger logger, Exception error, string group);

    [LoggerMessage(3044, LogLevel.Critical, "The poll loop of group '{Group}' ended by an error; its subscriptions are faulted. Nothing was committed past.")]
    public static partial void LoopFailed(ILogger logger, Exception error, string group);

    [LoggerMessage(3045, LogLevel.Error, "The client handed out {Partition} offset {Offset}, which group '{Group}' is not assigned; it is left alone.")]
    public static partial void StrayMessage(ILogger logger, TopicPartitionId partition, long offset, string group);

    [LoggerMessage(3046, LogLevel.Error, "Group '{Group}' was assigned {Partition}, which no subscription covers; it is left alone.")]
    public static partial void StrayAssignment(ILogger logger, TopicPartitionId partition, string group);

    [LoggerMessage(3048, LogLevel.Warning, "What is committed for new partitions could not be looked up, so they are not read yet; trying again.")]
    public static partial void NotChecked(ILogger logger, Exception error);

    [LoggerMessage(3047, LogLevel.Debug, "Fetching {Partition} continues up to a second late: {Reason}")]
    public static partial void NotWoken(ILogger logger, TopicPartitionId partition, string reason);

    [LoggerMessage(3060, LogLevel.Information, "{Partition} of group '{Group}' was paused by name.")]
    public static partial void Paused(ILogger logger, TopicPartitionId partition, string group);

    [LoggerMessage(3061, LogLevel.Information, "The subscription of group '{Group}' to '{Topic}' was paused by name.")]
    public static partial void PausedAll(ILogger logger, string topic, string group);

    [LoggerMessage(3062, LogLevel.Information, "The subscription of group '{Group}' to '{Topic}' continues.")]
    public static partial void ResumedAll(ILogger logger, string topic, string group);

    [LoggerMessage(3063, LogLevel.Warning, "{Partition} of group '{Group}' continues at offset {Offset}, as it was told.")]
    public static partial void Sought(ILogger logger, TopicPartitionId partition, long offset, string group);

    [LoggerMessage(3064, LogLevel.Information, "The subscription of group '{Group}' to '{Topic}' ended by name.")]
    public static partial void EndedByName(ILogger logger, string topic, string group);

    [LoggerMessage(3050, LogLevel.Warning, "Closing the client of group '{Group}' failed.")]
    public static partial void CloseFailed(ILogger logger, Exception error, string group);

    [LoggerMessage(3049, LogLevel.Warning,
        "Group '{Group}' has not taken this member in for {Time}, although brokers answer: the client may be stuck. A new client is built; the broker "
        + "forgets the old one after its session timeout.")]
    public static partial void StuckOutside(ILogger logger, string group, string time);

    [LoggerMessage(3051, LogLevel.Error,
        "The client of group '{Group}' did not close within {Timeout} and is abandoned; the broker evicts it after its session timeout.")]
    public static partial void CloseAbandoned(ILogger logger, string group, string timeout);

    [LoggerMessage(3090, LogLevel.Information, "Broadcast subscription to '{Topic}' runs: all {Partitions} partitions are read.")]
    public static partial void BroadcastRuns(ILogger logger, string topic, int partitions);

    [LoggerMessage(3091, LogLevel.Error,
        "{Partition} offset {Offset}: the handler of a broadcast subscription failed, and the message is given up in this instance. The next one follows.")]
    public static partial void BroadcastFailed(ILogger logger, Exception error, TopicPartitionId partition, long offset);

    [LoggerMessage(3092, LogLevel.Warning,
        "The partitions of broadcast subscriptions could not be looked up; it is repeated until a broker answers. What is assigned continues.")]
    public static partial void BroadcastNotAssigned(ILogger logger, Exception error);

    [LoggerMessage(3085, LogLevel.Debug,
        "{Partition} offset {Offset} of group '{Group}' waits behind a failed message of its key, in '{Topic}' partition {RecordPartition} offset "
        + "{RecordOffset}.")]
    public static partial void Forwarded(
        ILogger logger, TopicPartitionId partition, long offset, string group, string topic, int recordPartition, long recordOffset);

    [LoggerMessage(3086, LogLevel.Warning,
        "{Partition} offset {Offset} of group '{Group}' is too large to wait in '{Topic}' behind a failed message of its key: it waits where it is, "
        + "and what is behind it with it. Set a larger max.message.bytes there.")]
    public static partial void TooLargeToForward(ILogger logger, TopicPartitionId partition, long offset, string group, string topic);

    [LoggerMessage(3087, LogLevel.Error, "{Partition} of group '{Group}' is not handled: {Reason}.")]
    public static partial void LacksRetryPartition(ILogger logger, TopicPartitionId partition, string group, string reason);

    [LoggerMessage(3088, LogLevel.Debug,
        "{Partition} of group '{Group}' was read to its end: {Records} retry record(s) wait in it. Its source partition is handled from now on.")]
    public static partial void PairOpened(ILogger logger, TopicPartitionId partition, string group, int records);

    [LoggerMessage(3200, LogLevel.Warning,
        "Group '{Group}': records of {Partition} from offset {Offset} on claim something and were not written by a member of this group since its "
        + "offsets were last set. They are handled as ordinary retries where they hold a message; what they claim about other messages is ignored. "
        + "This is expected after the group's offsets were reset or deleted. Otherwise check who may write to the retry topic.")]
    public static partial void StrangersRefused(ILogger logger, string group, TopicPartitionId partition, long offset);

    [LoggerMessage(3201, LogLevel.Information,
        "{Count} message(s) of {Partition} were not handled again: records of group '{Group}' in the retry topic say that they were handled or "
        + "forwarded before.")]
    public static partial void SkippedAsHandled(ILogger logger, long count, TopicPartitionId partition, string group);

    [LoggerMessage(3202, LogLevel.Warning,
        "The committed offset {Offset} of {Partition} was set by somebody else than the members of group '{Group}' (an offset reset, another client, "
        + "or an older version). Messages from there on are handled again, also those that were handled or forwarded to the retry topic before.")]
    public static partial void OffsetNotOurs(ILogger logger, TopicPartitionId partition, long offset, string group);

    [LoggerMessage(3203, LogLevel.Warning,
        "The committed offsets of group '{Group}' could not be looked up. Its retry topics with key order, and the partitions that they belong to, "
        + "are not handled until they are. The look-up is repeated every second.")]
    public static partial void SealsUnknown(ILogger logger, Exception error, string group);

    [LoggerMessage(3204, LogLevel.Warning,
        "This version of Confluent.Kafka keeps its client elsewhere, so group '{Group}' cannot sign the records in its retry topics. After a crash "
        + "or a rebalance messages may be handled again, and out of their key's order. Use the version that Narad.Kafka was built with.")]
    public static partial void SealsUnavailable(ILogger logger, string group);

    [LoggerMessage(3205, LogLevel.Information,
        "{Partition} continues at offset {Offset} in group '{Group}'. The committed offset's metadata names {Count} offset(s) behind it that are finished: "
        + "their messages are not handled again.")]
    public static partial void ContinuesWithFinished(ILogger logger, TopicPartitionId partition, long offset, long count, string group);

    [LoggerMessage(3206, LogLevel.Information,
        "The metadata of the committed offset {Offset} of {Partition} in group '{Group}' does not count: {Why}. What was finished ahead of an unfinished "
        + "message, if anything was, is handled again.")]
    public static partial void MetadataIgnored(ILogger logger, TopicPartitionId partition, long offset, string why, string group);

    [LoggerMessage(3207, LogLevel.Information,
        "{Count} of the messages of {Partition} that group '{Group}' finished ahead of an unfinished one do not fit into the committed offset's metadata. "
        + "The partition's next owner handles them again. Logged once for each assignment.")]
    public static partial void AheadDoesNotFit(ILogger logger, int count, TopicPartitionId partition, string group);

    [LoggerMessage(3208, LogLevel.Warning,
        "The broker refuses metadata of up to 4,096 bytes with the offsets of group '{Group}' ({Code}). Offsets are committed without it from now on, and "
        + "what is finished ahead of an unfinished message is handled again by the partition's next owner. Raise the brokers' offset.metadata.max.bytes.")]
    public static partial void MetadataRefused(ILogger logger, string group, ErrorCode code);

    [LoggerMessage(3209, LogLevel.Warning,
        "What group '{Group}' finished ahead of unfinished messages could not be committed before its partitions are given back: {Reason}. It may be "
        + "handled again.")]
    public static partial void AheadNotCommitted(ILogger logger, string group, string reason);
}
