namespace Narad.Kafka;

/// <summary>A running subscription. Thread-safe.</summary>
public interface ISubscription
{
    /// <summary>The topic's real name, or the pattern.</summary>
    string Topic { get; }

    /// <summary>The group.</summary>
    string Group { get; }

    /// <summary>What it is doing.</summary>
    SubscriptionState State { get; }

    /// <summary>Why it ended by itself; null while it did not.</summary>
    Exception? Fault { get; }

    /// <summary>The partitions that this process handles now.</summary>
    IReadOnlyList<TopicPartitionId> Assignment { get; }

    /// <summary>The partitions that stopped, and why: at a message whose failure no policy covers, or without an offset to read from (<see cref="OffsetUnavailableException"/>).</summary>
    IReadOnlyList<StoppedPartition> Stopped { get; }

    /// <summary>
    /// Lets a stopped partition go on with the message it stopped at. Where it stopped because its offset was out of range, or it has none,
    /// it goes on at the first message that is left.
    /// </summary>
    /// <returns>Whether the partition was stopped here.</returns>
    /// <exception cref="KafkaConnectionException">The client refused it just now; trying again may help.</exception>
    Task<bool> ResumeAsync(TopicPartitionId partition, CancellationToken cancellationToken = default);

    /// <summary>Lets a stopped partition go on behind the message it stopped at: that one is finished unhandled, counted and logged.</summary>
    /// <returns>Whether the partition was stopped here, at a message.</returns>
    Task<bool> SkipOnceAsync(TopicPartitionId partition, CancellationToken cancellationToken = default);
}
