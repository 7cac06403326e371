using Microsoft.Extensions.Logging;

namespace Narad.Kafka.Serialization;

/// <summary>What reading messages logs. Events 5100 to 5199.</summary>
internal static partial class SerializationLog
{
    [LoggerMessage(5100, LogLevel.Warning,
        "Messages of type \"{Type}\" are skipped, because no handler is declared for them and the policy is Skip; the first is {Topic}[{Partition}]@{Offset}. "
            + "Logged once for each type.")]
    public static partial void SkippedUnknownType(ILogger logger, string type, string topic, int partition, long offset);
}
