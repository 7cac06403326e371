using Microsoft.Extensions.Logging;
using Narad.Kafka.Diagnostics;

namespace Narad.Kafka.Topics;

/// <summary>What happens to topics: events 6000 to 6999.</summary>
internal static partial class TopicsLog
{
    /// <summary>A retention for people.</summary>
    public static string Text(TimeSpan? retention) => retention is { } time ? Duration.Text(time) : "ever";

    [LoggerMessage(6001, LogLevel.Information, "Created topic {Topic} with {Partitions} partitions.")]
    public static partial void Created(ILogger logger, string topic, int partitions);

    [LoggerMessage(6002, LogLevel.Information, "[DEV] Would create topic {Topic} with {Partitions} partitions")]
    public static partial void WouldCreate(ILogger logger, string topic, int partitions);

    [LoggerMessage(6003, LogLevel.Information, "Deleted topic {Topic}.")]
    public static partial void Deleted(ILogger logger, string topic);

    [LoggerMessage(6004, LogLevel.Information, "[DEV] Would delete topic {Topic}")]
    public static partial void WouldDelete(ILogger logger, string topic);

    [LoggerMessage(6005, LogLevel.Information, "Topic {Topic} keeps its messages for {Retention}.")]
    public static partial void RetentionSet(ILogger logger, string topic, string retention);

    [LoggerMessage(6006, LogLevel.Information, "[DEV] Would let topic {Topic} keep its messages for {Retention}")]
    public static partial void WouldSetRetention(ILogger logger, string topic, string retention);
}
