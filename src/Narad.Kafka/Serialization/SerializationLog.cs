using Microsoft.Extensions.Logging;

namespace Narad.Kafka.Serialization;

/// <summary>What reading messages logs. Events 5100 to 5199.</summary>
internal static partial class SerializationLog
{
    [LoggerMessage(5100, LogLevel.Warning,
        "Messages of type \"{Type}\" are skipped, because no handler is declared for them and the policy is Skip; the first is {Topic}[{Partition}]@{Offset}. "
            + "Logged once for each type.")]
    public static partial void SkippedUnknownType(ILogger logger, string type, string topic, int partition, long offset);

    [LoggerMessage(5101, LogLevel.Warning,
        "{Partition} of group '{Group}' waits at offset {Offset}, because the deserializer does not get what it needs: {Reason} "
        + "The message is read again every {Delay}. Logged once while it lasts.")]
    public static partial void Waiting(ILogger logger, TopicPartitionId partition, string group, long offset, string reason, string delay);

    [LoggerMessage(5102, LogLevel.Information, "{Partition} of group '{Group}' resumes at offset {Offset}: the deserializer gets what it needs again.")]
    public static partial void Resumes(ILogger logger, TopicPartitionId partition, string group, long offset);
}
