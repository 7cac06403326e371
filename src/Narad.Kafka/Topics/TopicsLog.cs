using Microsoft.Extensions.Logging;

namespace Narad.Kafka.Topics;

/// <summary>What happens to topics: events 6000 to 6999.</summary>
internal static partial class TopicsLog
{
    [LoggerMessage(6001, LogLevel.Information, "Created topic {Topic} with {Partitions} partitions.")]
    public static partial void Created(ILogger logger, string topic, int partitions);

    [LoggerMessage(6002, LogLevel.Information, "[DEV] Would create topic {Topic} with {Partitions} partitions")]
    public static partial void WouldCreate(ILogger logger, string topic, int partitions);
}
