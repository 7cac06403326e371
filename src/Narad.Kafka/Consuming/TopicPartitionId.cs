using System.Globalization;
using System.Text.Json.Serialization;

namespace Narad.Kafka;

/// <summary>A partition of a topic.</summary>
/// <param name="Topic">The topic's real name.</param>
/// <param name="Partition">The partition, from 0.</param>
[JsonConverter(typeof(KafkaJsonConverter))]
public readonly record struct TopicPartitionId(string Topic, int Partition)
{
    /// <summary><c>topic[partition]</c>.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Topic}[{Partition}]");
}
