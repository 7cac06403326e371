namespace Narad.Kafka;

/// <summary>A topic as it should be.</summary>
/// <param name="Name">Its real name.</param>
/// <param name="Partitions">How many partitions, 1 to 10,000; a topic that exists with another number is refused; null takes
/// <see cref="KafkaOptions.TopicPartitions"/>.</param>
/// <param name="ReplicationFactor">How many replicas; 1 or more, or −1 for the broker's default; null takes
/// <see cref="KafkaOptions.TopicReplicationFactor"/>.</param>
/// <param name="Settings">Topic settings such as <c>retention.ms</c>; the embedded broker refuses any.</param>
public sealed record TopicSpec(string Name, int? Partitions = null, short? ReplicationFactor = null, IReadOnlyDictionary<string, string>? Settings = null);
