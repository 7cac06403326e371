using System.Text.Json.Serialization;

namespace Narad.Kafka;

/// <summary>A partition that stopped.</summary>
/// <param name="Partition">Which.</param>
/// <param name="Offset">The message it stopped at (the lowest, where several failed), or the offset that is not there any more; −1 where the group has
/// none.</param>
/// <param name="Reason">Why.</param>
public sealed record StoppedPartition(TopicPartitionId Partition, long Offset, [property: JsonConverter(typeof(KafkaJsonConverter))] Exception Reason);
