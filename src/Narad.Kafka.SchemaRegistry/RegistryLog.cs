using Microsoft.Extensions.Logging;

namespace Narad.Kafka.SchemaRegistry;

/// <summary>What the schema registry's package logs. Events 9200 to 9299.</summary>
internal static partial class RegistryLog
{
    [LoggerMessage(9200, LogLevel.Information, "Subject '{Subject}': {Type} is written with schema {Id} of the registry {Address}.")]
    public static partial void SchemaFound(ILogger logger, string subject, string type, int id, string address);

    [LoggerMessage(9201, LogLevel.Warning,
        "Started without the schema registry, as StartWithoutRegistry allows: {Reason} Messages that need a schema wait or fail until it answers.")]
    public static partial void StartedWithoutRegistry(ILogger logger, string reason);
}
