using System.Globalization;
using System.Text.Json.Serialization;

namespace Narad.Kafka;

/// <summary>The coordinates of one message: topic, partition and offset. No two messages of a cluster have the same.</summary>
/// <param name="Topic">The topic's real name.</param>
/// <param name="Partition">The partition, from 0.</param>
/// <param name="Offset">The offset, from 0.</param>
[JsonConverter(typeof(KafkaJsonConverter))]
public readonly record struct TopicPartitionOffsetId(string Topic, int Partition, long Offset)
{
    /// <summary>Creates the coordinates of a message of this partition.</summary>
    /// <param name="partition">The partition of the topic.</param>
    /// <param name="offset">The offset, from 0.</param>
    public TopicPartitionOffsetId(TopicPartitionId partition, long offset)
        : this(partition.Topic, partition.Partition, offset)
    {
    }

    /// <summary>The topic and partition without the offset.</summary>
    public TopicPartitionId TopicPartition => new(Topic, Partition);

    /// <summary><c>topic[partition]@offset</c>.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Topic}[{Partition}]@{Offset}");
}
