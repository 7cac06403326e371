namespace Narad.Kafka;

/// <summary>A topic as it should be.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Partitions">How many partitions, 1 to 10,000; null takes <see cref="KafkaOptions.TopicPartitions"/>.</param>
/// <param name="ReplicationFactor">How many replicas; 1 or more, or −1 for the broker's default; null takes
/// <see cref="KafkaOptions.TopicReplicationFactor"/>.</param>
/// <param name="Settings">Any topic settings, such as <c>segment.bytes</c>. Default: as the cluster has them for all topics.</param>
public sealed record TopicSpec(string Name, int? Partitions = null, short? ReplicationFactor = null, IReadOnlyDictionary<string, string>? Settings = null)
{
    /// <summary>
    /// How long messages are kept, 1 ms or more; <see cref="Timeout.InfiniteTimeSpan"/> for unlimited. <c>retention.ms</c>. Default null: the cluster's own.
    /// </summary>
    public TimeSpan? Retention { get; init; }

    /// <summary>
    /// What becomes of old messages: deleted, compacted, or both. <c>cleanup.policy</c>. Default null: the cluster's own.
    /// </summary>
    public TopicCleanupPolicy? CleanupPolicy { get; init; }
}
