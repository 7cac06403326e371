using Microsoft.Extensions.Logging;

namespace Narad.Kafka.Failures;

/// <summary>What happens to dead letters on request: events 7000 to 7099.</summary>
internal static partial class DeadLettersLog
{
    [LoggerMessage(7001, LogLevel.Information, "Redriving dead letters of {Topic} ({Target}, {Remaining} offsets ahead, progress in group {Group}).")]
    public static partial void Began(ILogger logger, string topic, RedriveTarget target, long remaining, string group);

    [LoggerMessage(7002, LogLevel.Information, "Redrove {Sent} dead letters of {Topic}; {NotMatching} did not match, {PassedOver} were passed over.")]
    public static partial void Ended(ILogger logger, string topic, long sent, long notMatching, long passedOver);

    [LoggerMessage(7003, LogLevel.Warning, "Dead letter {Letter} cannot be sent again and is passed over: {Reason}. Others like it are counted only.")]
    public static partial void PassedOver(ILogger logger, DeadLetter letter, string reason);

    [LoggerMessage(7004, LogLevel.Warning, "The redrive of {Topic} ended early, after {Sent} messages: {Reason} Asked for again it continues there.")]
    public static partial void Interrupted(ILogger logger, string topic, long sent, string reason);

    [LoggerMessage(7005, LogLevel.Information, "Deleted the records of dead-letter topic {Topic} before the given offsets: {Count} offsets.")]
    public static partial void Deleted(ILogger logger, string topic, long count);

    [LoggerMessage(7006, LogLevel.Information, "Sent dead letter {Letter} again, to {Topic}[{Partition}].")]
    public static partial void Redriven(ILogger logger, DeadLetter letter, string topic, int partition);

    [LoggerMessage(7007, LogLevel.Warning,
        "The progress of the redrive of {Topic} could not be committed when it ended: {Reason} Asked for again it sends up to one batch twice.")]
    public static partial void NotNoted(ILogger logger, string topic, string reason);

    [LoggerMessage(7008, LogLevel.Warning, "The client that read dead letters at {BootstrapServers} did not close within {Seconds} s; it closes when it can.")]
    public static partial void ReaderAbandoned(ILogger logger, string bootstrapServers, double seconds);

    [LoggerMessage(7009, LogLevel.Debug, "The client that read dead letters at {BootstrapServers} failed to close.")]
    public static partial void ReaderCloseFailed(ILogger logger, Exception exception, string bootstrapServers);

    [LoggerMessage(7090, LogLevel.Warning, "The dead letters could not be counted; the gauge narad.kafka.dead_letters shows what was counted last.")]
    public static partial void NotCounted(ILogger logger, Exception error);
}
