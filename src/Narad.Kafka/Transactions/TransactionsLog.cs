using Confluent.Kafka;
using Microsoft.Extensions.Logging;
using Narad.Kafka.Consuming;

namespace Narad.Kafka.Transactions;

/// <summary>What happens to transactions: events 8000 to 8999.</summary>
internal static partial class TransactionsLog
{
    [LoggerMessage(8000, LogLevel.Information, "Group '{Group}' handles its messages exactly once, in transactions of '{TransactionalId}'.")]
    public static partial void Started(ILogger logger, string group, string transactionalId);

    [LoggerMessage(8001, LogLevel.Debug, "Group '{Group}' committed a transaction of {Messages} message(s).")]
    public static partial void Committed(ILogger logger, string group, int messages);

    [LoggerMessage(8002, LogLevel.Debug,
        "Group '{Group}' aborted a transaction of {Messages} message(s): {Reason}. Nothing of it counts; what is still its own is handled again.")]
    public static partial void Aborted(ILogger logger, string group, int messages, string reason);

    [LoggerMessage(EventId = 8003, Message =
        "A transaction of group '{Group}' was refused ({Code}: {Reason}) and aborted; its messages are handled again in {Delay}.")]
    public static partial void Refused(ILogger logger, LogLevel level, ErrorCode code, string reason, string group, string delay);

    [LoggerMessage(8004, LogLevel.Warning,
        "The handlers of a transaction of group '{Group}' took longer than its limit of {Limit}; it was aborted. {Blamed} message(s) took half of "
        + "that or more and count as failed; else the next transactions have at most {Messages} message(s).")]
    public static partial void TookTooLong(ILogger logger, string group, string limit, int blamed, int messages);

    [LoggerMessage(8005, LogLevel.Error,
        "Another live producer took over the transactional.id '{TransactionalId}' of group '{Group}' ({Code}: {Reason}). Nothing uncommitted counts. "
        + "This instance takes it back in {Delay}; if both keep doing so, give each instance an InstanceName (or a GroupInstanceId) of its own.")]
    public static partial void Fenced(ILogger logger, string transactionalId, string group, ErrorCode code, string reason, string delay);

    [LoggerMessage(8006, LogLevel.Error,
        "The transactional producer of group '{Group}' failed for good ({Code}: {Reason}). A new one is built in {Delay}, and handling continues at "
        + "the committed offsets.")]
    public static partial void ProducerFailed(ILogger logger, ErrorCode code, string reason, string group, string delay);

    [LoggerMessage(8007, LogLevel.Critical,
        "Group '{Group}' may not use transactions: {Reason} ({Code}). Its subscriptions are faulted. Give the user of the ClientId the rights to "
        + "DESCRIBE and WRITE the transactional.id '{TransactionalId}', or a TransactionTimeout that the brokers allow.")]
    public static partial void NotAllowed(ILogger logger, ErrorCode code, string reason, string group, string transactionalId);

    [LoggerMessage(8008, LogLevel.Information,
        "Group '{Group}' has a transactional producer again and continues at the committed offsets of its {Partitions} partition(s).")]
    public static partial void GoesOn(ILogger logger, string group, int partitions);

    [LoggerMessage(8009, LogLevel.Warning, "The committed offsets of group '{Group}' could not be read after its producer was built again; trying again.")]
    public static partial void NotRewound(ILogger logger, Exception error, string group);

    [LoggerMessage(8010, LogLevel.Warning,
        "{Partition} offset {Offset} of group '{Group}' sent something that was refused, so its transaction was aborted. It is tried alone now, and "
        + "then the retry policy decides if it fails.")]
    public static partial void Suspected(ILogger logger, Exception error, TopicPartitionId partition, long offset, string group);

    [LoggerMessage(8011, LogLevel.Warning,
        "Instances of '{TransactionalId}' on this machine could not be told apart in group '{Group}'. If several run here, give each an InstanceName "
        + "(or a GroupInstanceId).")]
    public static partial void InstanceNotNumbered(ILogger logger, Exception error, string transactionalId, string group);

    [LoggerMessage(8012, LogLevel.Warning, "The transactional client of group '{Group}' reports {Code}: {Reason}")]
    public static partial void ClientError(ILogger logger, ErrorCode code, string reason, string group);

    [LoggerMessage(8013, LogLevel.Warning,
        "The latest transaction of group '{Group}' did not end before the shutdown's deadline. The brokers abort it, and its messages are handled "
        + "again.")]
    public static partial void NotEnded(ILogger logger, string group);

    [LoggerMessage(8014, LogLevel.Error, "What is told of a committed dead letter of {Partition} offset {Offset} threw; it is committed all the same.")]
    public static partial void TellingFailed(ILogger logger, Exception error, TopicPartitionId partition, long offset);

    [LoggerMessage(8015, LogLevel.Warning, "Closing a transactional client of group '{Group}' failed.")]
    public static partial void CloseFailed(ILogger logger, Exception error, string group);

    [LoggerMessage(8016, LogLevel.Warning,
        "The transactional producer of group '{Group}' waits for its brokers ({Code}: {Reason}); nothing is handled until then.")]
    public static partial void StartWaits(ILogger logger, ErrorCode code, string reason, string group);
}
