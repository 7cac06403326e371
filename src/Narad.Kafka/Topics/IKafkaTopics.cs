namespace Narad.Kafka;

/// <summary>
/// Creates topics, looks at them, changes and deletes them; the service's own takes logical names too (<see cref="KafkaOptions.TopicNames"/>). Thread-safe.
/// </summary>
/// <example>
/// <code>
/// await kafka.Topics.CreateIfNotExistsAsync([new TopicSpec("orders", Partitions: 12)]);
/// </code>
/// </example>
public interface IKafkaTopics
{
    /// <summary>
    /// Creates what does not exist; what exists stays as it is. What is left out of a topic that was declared (<see cref="KafkaOptions.Topics"/>) is as
    /// declared. Completes when the brokers show what was created. A topic that exists with another number of partitions than asked for is refused.
    /// </summary>
    /// <exception cref="ArgumentException">A topic's name is not legal, or its numbers are out of range.</exception>
    /// <exception cref="NotSupportedException">The broker is an embedded one, and settings were asked for, or it belongs to another process.</exception>
    /// <exception cref="KafkaTopicException">
    /// A topic could not be created, exists with another number of partitions than <see cref="TopicSpec.Partitions"/> names, or no broker answered in
    /// time: <see cref="KafkaOptions.ConnectTimeout"/> for looking, 30 s for creating.
    /// </exception>
    Task CreateIfNotExistsAsync(IEnumerable<TopicSpec> topics, CancellationToken cancellationToken = default);

    /// <summary>The number of partitions of each topic; a topic that does not exist is left out. Never creates one.</summary>
    /// <exception cref="KafkaTopicException">No broker answered within <see cref="KafkaOptions.ConnectTimeout"/>, or looking was refused.</exception>
    Task<IReadOnlyDictionary<string, int>> GetPartitionCountsAsync(IEnumerable<string> topics, CancellationToken cancellationToken = default);

    /// <summary>One topic with its retention and other settings; null where it does not exist. Never creates one.</summary>
    /// <exception cref="ArgumentException">The topic's name is not legal.</exception>
    /// <exception cref="NotSupportedException">The broker tells no settings: it is another process's embedded one.</exception>
    /// <exception cref="KafkaTopicException">No broker answered within <see cref="KafkaOptions.ConnectTimeout"/>, or looking was refused.</exception>
    Task<TopicDetails?> GetDetailsAsync(string topic, CancellationToken cancellationToken = default);

    /// <summary>
    /// Sets how long a topic keeps its messages (<c>retention.ms</c>) and leaves its other settings as they are. The brokers apply it within moments.
    /// </summary>
    /// <param name="topic">The topic.</param>
    /// <param name="retention">1 ms or more; null or <see cref="Timeout.InfiniteTimeSpan"/> for unlimited.</param>
    /// <param name="cancellationToken">Cancels the waiting.</param>
    /// <exception cref="ArgumentException">The topic's name is not legal, or the retention below a millisecond.</exception>
    /// <exception cref="NotSupportedException">The broker is an embedded one, which keeps no settings.</exception>
    /// <exception cref="KafkaTopicException">The topic does not exist, the change was refused, or no broker answered within
    /// <see cref="KafkaOptions.ConnectTimeout"/>.</exception>
    Task SetRetentionAsync(string topic, TimeSpan? retention, CancellationToken cancellationToken = default);

    /// <summary>Deletes topics with all that they hold, for good. Completes when the brokers show them no more.</summary>
    /// <returns>Those that existed.</returns>
    /// <exception cref="ArgumentException">A topic's name is not legal.</exception>
    /// <exception cref="NotSupportedException">The broker is another process's embedded one.</exception>
    /// <exception cref="KafkaTopicException"> A topic could not be deleted (others may have been), or no broker answered in time:
    /// <see cref="KafkaOptions.ConnectTimeout"/> for looking, 30 s for deleting.
    /// </exception>
    Task<IReadOnlyList<string>> DeleteAsync(IEnumerable<string> topics, CancellationToken cancellationToken = default);

    /// <summary>
    /// The offset that a group continues from, by partition; a partition for which it has committed nothing is left out, and a topic or group
    /// that does not exist gives nothing at all.
    /// </summary>
    /// <exception cref="ArgumentException">The group's id or the topic's name is not legal.</exception>
    /// <exception cref="KafkaTopicException">No broker answered within <see cref="KafkaOptions.ConnectTimeout"/>, or looking was refused.</exception>
    Task<IReadOnlyDictionary<TopicPartitionId, long>> GetCommittedOffsetsAsync(string group, string topic, CancellationToken cancellationToken = default);
}
