namespace Narad.Kafka.SchemaRegistry;

/// <summary>The registry answered that it does not have what was asked for. The text says what that was.</summary>
internal sealed class UnknownSchemaException(string message, Exception? cause = null) : Exception(message, cause);
