using Microsoft.Extensions.Logging;

namespace Narad.Kafka.Outbox;

/// <summary>What the outbox and its relay do: events 9150 to 9199.</summary>
internal static partial class OutboxLog
{
    [LoggerMessage(9150, LogLevel.Information, "The outbox is ready: what is enqueued in a transaction commits together with what the application writes in "
        + "it.")]
    public static partial void Transactional(ILogger logger);

    [LoggerMessage(9151, LogLevel.Warning, "The outbox has no transactions: a crash between the application's write and the enqueuing leaves one of them. Use "
        + "a store with transactions (MongoDB: a replica set) to have both or none.")]
    public static partial void AtLeastOnce(ILogger logger);

    [LoggerMessage(9152, LogLevel.Error, "The outbox's store does not answer; nothing is sent from the outbox until it does. Trying again by itself.")]
    public static partial void StoreUnavailable(ILogger logger, Exception error);

    [LoggerMessage(9153, LogLevel.Information, "The outbox's store answers again.")]
    public static partial void StoreAvailable(ILogger logger);

    [LoggerMessage(9154, LogLevel.Information, "Outbox relay {Relay} holds {Held} of {All} buckets; {Relays} relay(s) share them.")]
    public static partial void Buckets(ILogger logger, string relay, int held, int all, int relays);

    [LoggerMessage(9155, LogLevel.Warning, "Sending from the outbox to topic '{Topic}' failed; the message's key waits {Delay} and is sent again, other keys "
        + "are sent. Logged once while this lasts. {Reason}")]
    public static partial void SendFailed(ILogger logger, string topic, string delay, string reason);

    [LoggerMessage(9156, LogLevel.Warning, "Message {Id} of the outbox to topic '{Topic}' was refused, attempt {Attempt} of {Attempts}; its key waits {Delay}. "
        + "{Reason}")]
    public static partial void Refused(ILogger logger, string id, string topic, int attempt, int attempts, string delay, string reason);

    [LoggerMessage(9157, LogLevel.Error, "Message {Id} of the outbox to topic '{Topic}' was refused {Attempts} times and is set aside; later messages of its "
        + "key {Then}. Remove the cause, then call IOutbox.SetAside.RetryAsync, or DiscardAsync. {Reason}")]
    public static partial void SetAside(ILogger logger, string id, string topic, int attempts, string then, string reason);

    [LoggerMessage(9158, LogLevel.Warning, "Outbox relay {Relay} could not renew the leases of {Count} bucket(s) in time: it sends nothing more of them, and "
        + "another relay takes them over. What it has sent and not marked is sent again.")]
    public static partial void LeasesLost(ILogger logger, string relay, int count);

    [LoggerMessage(9159, LogLevel.Warning, "{Count} message(s) of outbox bucket {Bucket} were acknowledged and could not be marked as dispatched, because the "
        + "bucket's lease was lost; they are sent again, with the same ids.")]
    public static partial void NotMarked(ILogger logger, int count, int bucket);

    [LoggerMessage(9160, LogLevel.Warning, "The outbox relay stopped before Kafka answered to {Count} message(s); they are sent again by another relay or at "
        + "the next start.")]
    public static partial void StoppedEarly(ILogger logger, int count);

    [LoggerMessage(9161, LogLevel.Debug, "The store did not answer for outbox bucket {Bucket}.")]
    public static partial void StoreFailed(ILogger logger, Exception error, int bucket);

    [LoggerMessage(9162, LogLevel.Error, "The outbox's store failed to watch for new messages. They are found by polling, every {Interval}.")]
    public static partial void WatchFailed(ILogger logger, Exception error, string interval);
}
