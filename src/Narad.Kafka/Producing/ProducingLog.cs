using Microsoft.Extensions.Logging;

namespace Narad.Kafka.Producing;

/// <summary>What sending logs: events 2000 to 2999.</summary>
internal static partial class ProducingLog
{
    [LoggerMessage(2000, LogLevel.Information, "Producer {Client} connected.")]
    public static partial void Connected(ILogger logger, string client);

    [LoggerMessage(2001, LogLevel.Information, "Producer disconnected: {Delivered} delivered, {Late} late, {Failed} failed, {Unknown} unknown.")]
    public static partial void Disconnected(ILogger logger, long delivered, long late, long failed, long unknown);

    [LoggerMessage(2003, LogLevel.Information, "Console producer ended: {Logged} logged and not sent, {Failed} failed, {Unknown} unknown.")]
    public static partial void ConsoleEnded(ILogger logger, long logged, long failed, long unknown);

    [LoggerMessage(
        2002, LogLevel.Warning, "Producer {Client} did not close in time and is abandoned; its threads end when the broker answers or the process ends.")]
    public static partial void Abandoned(ILogger logger, string client);

    [LoggerMessage(
        2010, LogLevel.Error, "Producer {Client} met a fatal error: {Reason}. What it was sending fails; a new one is built, and sends wait for it.")]
    public static partial void FatalError(ILogger logger, string client, string reason);

    [LoggerMessage(2011, LogLevel.Critical, "Producer {Client} is refused: {Reason}. Sends fail until the service is allowed to produce and is started again.")]
    public static partial void Refused(ILogger logger, string client, string reason);

    [LoggerMessage(2012, LogLevel.Information, "Producer {Client} was built after a fatal error.")]
    public static partial void Rebuilt(ILogger logger, string client);

    [LoggerMessage(2013, LogLevel.Error, "A new producer could not be built; the next attempt follows in {Delay}.")]
    public static partial void RebuildFailed(ILogger logger, Exception exception, string delay);

    [LoggerMessage(2020, LogLevel.Warning,
        "The broker refused a batch of topic {Topic} for its size. Its messages are sent again, in order, {Window} bytes at a time (0: one message at a "
            + "time); set batch.size below the topic's max.message.bytes to spare this.")]
    public static partial void BatchRefused(ILogger logger, string topic, long window);

    [LoggerMessage(2021, LogLevel.Warning,
        "Order within topic {Topic} may be inverted: partition {Partition} took a message that followed a refused batch. Where batches are refused for their "
            + "size, set batch.size below the topic's max.message.bytes.")]
    public static partial void MayBeInverted(ILogger logger, string topic, int partition);

    [LoggerMessage(2022, LogLevel.Information,
        "Topic {Topic} takes batches of at most {Limit} bytes (max.message.bytes), fewer than this client's {Batch}: its messages are sent a few at a time. "
            + "Set batch.size below the limit to spare this.")]
    public static partial void LimitBelowBatch(ILogger logger, string topic, int limit, int batch);

    [LoggerMessage(2023, LogLevel.Information,
        "The broker does not tell topics' max.message.bytes (asked for topic {Topic}: {Reason}). Where one is below a batch, order within the topic may be "
            + "inverted once, when the broker first refuses a batch; a right to DescribeConfigs spares this. Logged once.")]
    public static partial void LimitUntold(ILogger logger, string topic, string reason);

    [LoggerMessage(
        2026, LogLevel.Information, "Topic {Topic} takes batches of up to {Limit} bytes again (max.message.bytes): its messages are sent together again.")]
    public static partial void LimitRaised(ILogger logger, string topic, int limit);

    [LoggerMessage(
        2024, LogLevel.Error, "A message to topic {Topic} was acknowledged, and keeping account of it failed. Please report this as a fault of Narad.Kafka.")]
    public static partial void ReportError(ILogger logger, Exception exception, string topic);

    [LoggerMessage(2025, LogLevel.Warning,
        "The broker refused a batch of topic {Topic} for records in it ({Code}). Its messages are sent again in order, and those that may be to blame one at "
            + "a time, so that only refused records fail. Each refusal delays this producer's other messages: check keys and timestamps before sending. "
            + "Logged once for each topic.")]
    public static partial void RecordsRefused(ILogger logger, string topic, string code);

    [LoggerMessage(2030, LogLevel.Debug, "Sent to {Topic}[{Partition}]@{Offset}, key {Key}, {Bytes} bytes.")]
    public static partial void Sent(ILogger logger, string topic, int partition, long offset, MessageKey key, int bytes);

    [LoggerMessage(2031, LogLevel.Information, "[DEV] Would send to {Topic}: {Value}")]
    public static partial void WouldSend(ILogger logger, string topic, string value);

    [LoggerMessage(2040, LogLevel.Warning, "Producer {Client}: {Reason} ({Code}). Sends wait until their timeout.")]
    public static partial void ClientError(ILogger logger, string client, string reason, string code);
}
