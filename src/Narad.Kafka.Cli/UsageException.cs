namespace Narad.Kafka.Cli;

/// <summary>The tool was not asked well: exit code 2.</summary>
internal sealed class UsageException(string message) : Exception(message);
