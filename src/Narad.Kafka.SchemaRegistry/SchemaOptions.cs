using Narad.Kafka.SchemaRegistry;

namespace Narad.Kafka;

/// <summary>How messages of a type become JSON. Default: System.Text.Json with <see cref="KafkaOptions.Json"/>.</summary>
/// <typeparam name="T">The type.</typeparam>
public sealed class SchemaOptions<T>
{
    internal SchemaOptions()
    {
    }

    /// <summary>Confluent's serializer and deserializer, where they write and read the messages.</summary>
    internal ConfluentJson? Confluent { get; set; }
}
