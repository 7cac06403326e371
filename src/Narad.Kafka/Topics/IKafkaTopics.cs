namespace Narad.Kafka;

/// <summary>Creates topics and looks at them; the service's own takes logical names too (<see cref="KafkaOptions.Topics"/>). Thread-safe.</summary>
public interface IKafkaTopics
{
    /// <summary>Creates what does not exist; what exists stays as it is. Completes when the brokers show what was created.</summary>
    /// <exception cref="ArgumentException">A topic's name is not legal, or its numbers are out of range.</exception>
    /// <exception cref="NotSupportedException">The broker is an embedded one, and settings were asked for, or it belongs to another process.</exception>
    /// <exception cref="KafkaTopicException">
    /// A topic could not be created, exists with another number of partitions than <see cref="TopicSpec.Partitions"/> names, or no broker answered in
    /// time: <see cref="KafkaOptions.ConnectTimeout"/> for looking, 30 s for creating.
    /// </exception>
    Task EnsureAsync(IEnumerable<TopicSpec> topics, CancellationToken cancellationToken = default);

    /// <summary>The number of partitions of each topic; a topic that does not exist is left out. Never creates one.</summary>
    /// <exception cref="KafkaTopicException">No broker answered within <see cref="KafkaOptions.ConnectTimeout"/>, or looking was refused.</exception>
    Task<IReadOnlyDictionary<string, int>> DescribeAsync(IEnumerable<string> topics, CancellationToken cancellationToken = default);

    /// <summary>
    /// The offset that a group goes on from, by partition; a partition for which it has committed nothing is left out, and a topic or group
    /// that does not exist gives nothing at all.
    /// </summary>
    /// <exception cref="ArgumentException">The group's id or the topic's name is not legal.</exception>
    /// <exception cref="KafkaTopicException">No broker answered within <see cref="KafkaOptions.ConnectTimeout"/>, or looking was refused.</exception>
    Task<IReadOnlyDictionary<TopicPartitionId, long>> CommittedAsync(string group, string topic, CancellationToken cancellationToken = default);
}
