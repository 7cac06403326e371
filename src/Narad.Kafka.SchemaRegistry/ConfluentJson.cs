using System.Text.Json.Nodes;

namespace Narad.Kafka.SchemaRegistry;

/// <summary>Confluent's JSON serializer and deserializer for one declared type. Thread-safe.</summary>
internal abstract class ConfluentJson
{
    /// <summary>The schema of the type, as Confluent's serializer generates it.</summary>
    public abstract JsonObject Schema { get; }

    /// <summary>Whether the schema's id is sent in a header, so the value is JSON alone.</summary>
    public abstract bool WritesIdToHeader { get; }

    /// <summary>What writes with a schema.</summary>
    public abstract SerdeAdapter Serializer(RegisteredSchemas schemas, RegisteredSchemas.WriterSchema writer, bool validate);

    /// <summary>What reads the messages of a subject.</summary>
    public abstract SerdeAdapter Deserializer(RegisteredSchemas schemas, string subject);
}
