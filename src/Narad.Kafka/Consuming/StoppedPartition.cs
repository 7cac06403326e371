namespace Narad.Kafka;

/// <summary>A partition that stopped.</summary>
/// <param name="Partition">Which.</param>
/// <param name="Offset">The message it stopped at (the lowest, where several failed).</param>
/// <param name="Reason">Why.</param>
public sealed record StoppedPartition(TopicPartitionId Partition, long Offset, Exception Reason);
