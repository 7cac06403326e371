using Microsoft.Extensions.Logging;
using Narad.Kafka.Diagnostics;

namespace Narad.Kafka.Topics;

/// <summary>What happens to topics: events 6000 to 6999.</summary>
internal static partial class TopicsLog
{
    /// <summary>A retention for people.</summary>
    public static string Text(TimeSpan? retention) => retention is { } time && time != Timeout.InfiniteTimeSpan ? Duration.Text(time) : "ever";

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

    [LoggerMessage(6010, LogLevel.Warning,
        "Dead-letter topic '{Topic}' of '{Source}' keeps messages for {Retention} only (retention.ms): what nobody looks at by then is deleted. Set an "
            + "unlimited retention: kafka.Topics.SetRetentionAsync(topic, null).")]
    public static partial void DeadLettersExpire(ILogger logger, string topic, string retention, string source);

    [LoggerMessage(6011, LogLevel.Warning,
        "Dead-letter topic '{Topic}' of '{Source}' is compacted (cleanup.policy): of several dead letters of one key only the last is kept. Set "
            + "cleanup.policy=delete.")]
    public static partial void DeadLettersCompacted(ILogger logger, string topic, string source);

    [LoggerMessage(6012, LogLevel.Warning,
        "Topic '{Topic}' takes {Bytes} bytes at most (max.message.bytes), and its source '{Source}' {Wanted}: a failed message that is larger cannot be moved "
            + "there and holds its key. Set it as high as the source's.")]
    public static partial void ForwardingTooSmall(ILogger logger, string topic, int bytes, string source, int wanted);

    [LoggerMessage(6016, LogLevel.Information, "Dead-letter topic '{Topic}' of '{Source}' keeps every message for ever again.")]
    public static partial void DeadLettersAreKept(ILogger logger, string topic, string source);

    [LoggerMessage(6014, LogLevel.Critical, "The settings of a retry topic were changed while the service runs. {Error}")]
    public static partial void RetriesWillBeLost(ILogger logger, string error);

    [LoggerMessage(6015, LogLevel.Information, "Retry topic '{Topic}' keeps messages for long enough again.")]
    public static partial void RetriesAreKept(ILogger logger, string topic);

    [LoggerMessage(6013, LogLevel.Information, "The settings of topic '{Topic}' could not be looked at, so its retention and largest message are not checked.")]
    public static partial void SettingsUnknown(ILogger logger, Exception error, string topic);

    [LoggerMessage(6030, LogLevel.Warning,
        "Topic '{Topic}' is not as declared: {Differences}. It stays as it is. Change the topic (retention: kafka.Topics.SetRetentionAsync) or its "
            + "declaration. To refuse the start instead, set OnTopicMismatch to Fail.")]
    public static partial void NotAsDeclared(ILogger logger, string topic, string differences);

    [LoggerMessage(6031, LogLevel.Warning, "Topic '{Topic}' exists, and could not be compared with its declaration.")]
    public static partial void NotCompared(ILogger logger, Exception error, string topic);

    [LoggerMessage(6032, LogLevel.Information,
        "The embedded broker keeps no topic settings. These of topic '{Topic}' have no effect in this mode: {Settings}.")]
    public static partial void SettingsNotKept(ILogger logger, string topic, string settings);

    [LoggerMessage(6033, LogLevel.Warning,
        "The declared topics could not be created or compared yet. Subscriptions wait for it, and it is repeated until a broker answers.")]
    public static partial void NotDeclaredYet(ILogger logger, Exception error);

    [LoggerMessage(6034, LogLevel.Error, "The declared topics could not be created or compared. Subscriptions do not start. Fix the cause and restart.")]
    public static partial void NotDeclared(ILogger logger, Exception error);

    [LoggerMessage(6020, LogLevel.Warning,
        "librdkafka {Version} does not show the ids of topics as expected: a topic that is deleted and created again while it is read is not noticed. Use a "
            + "version that this library was tested with.")]
    public static partial void NoTopicIds(ILogger logger, string version);
}
