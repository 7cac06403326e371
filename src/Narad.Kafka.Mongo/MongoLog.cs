using Microsoft.Extensions.Logging;

namespace Narad.Kafka.Mongo;

/// <summary>What the MongoDB package does: events 9500 to 9549.</summary>
internal static partial class MongoLog
{
    [LoggerMessage(9500, LogLevel.Information, "Connected to MongoDB, database '{Database}': {Topology}.")]
    public static partial void Connected(ILogger logger, string database, MongoTopology topology);

    [LoggerMessage(9501, LogLevel.Information, "Changed the expiry of collection '{Collection}' (index '{Index}') to {Seconds} s.")]
    public static partial void ExpiryChanged(ILogger logger, string collection, string index, long seconds);

    [LoggerMessage(9502, LogLevel.Warning, "The claim on message {Id} of group '{Group}' could not be kept while its handler ran: another member may handle "
        + "the message too.")]
    public static partial void ClaimNotKept(ILogger logger, string id, string group);

    [LoggerMessage(9503, LogLevel.Warning, "Whether the transaction of message {Id} of group '{Group}' was committed is not known yet: {Reason} Asking again "
        + "in {Delay}.")]
    public static partial void CommitUnknown(ILogger logger, string id, string group, string reason, TimeSpan delay);

    [LoggerMessage(9504, LogLevel.Warning, "Message {Id} of group '{Group}' was handled, and that could not be noted yet: {Reason} Trying again in {Delay}.")]
    public static partial void NotNoted(ILogger logger, string id, string group, string reason, TimeSpan delay);

    [LoggerMessage(9505, LogLevel.Debug, "The transaction of message {Id} of group '{Group}' is run again (attempt {Attempt}): {Reason}")]
    public static partial void TransactionRepeated(ILogger logger, string id, string group, int attempt, string reason);

    [LoggerMessage(9506, LogLevel.Warning, "The change stream of the outbox failed and is opened anew: {Reason} Until then messages are sent when the relay "
        + "polls.")]
    public static partial void ChangeStreamFailed(ILogger logger, string reason);

    [LoggerMessage(9507, LogLevel.Debug, "The change stream of the outbox is open again.")]
    public static partial void ChangeStreamOpened(ILogger logger);

    [LoggerMessage(9508, LogLevel.Warning, "The connection pool of MongoDB has {Size} connections (maxPoolSize): the outbox opens no change stream, and "
        + "messages are sent when the relay polls. Allow {Least} or more.")]
    public static partial void PoolTooSmall(ILogger logger, int size, int least);
}
