namespace Narad.Kafka;

/// <summary>A topic as it is.</summary>
public sealed record TopicDetails
{
    /// <summary>Its real name.</summary>
    public required string Name { get; init; }

    /// <summary>How many partitions it has.</summary>
    public required int Partitions { get; init; }

    /// <summary>How many replicas a partition has; the fewest, where they differ.</summary>
    public required int ReplicationFactor { get; init; }

    /// <summary>How long messages are kept; null for unlimited. <c>retention.ms</c>.</summary>
    public TimeSpan? Retention { get; init; }

    /// <summary>
    /// The largest batch of messages that it takes, bytes, as compressed; null where the broker has no such setting (the embedded one).
    /// <c>max.message.bytes</c>.
    /// </summary>
    public int? MaxMessageBytes { get; init; }

    /// <summary>What becomes of old messages. <c>cleanup.policy</c>.</summary>
    public TopicCleanupPolicy CleanupPolicy { get; init; } = TopicCleanupPolicy.Delete;

    /// <summary>The settings that were made for this topic; what is not here is as the cluster has it for all topics.</summary>
    public IReadOnlyDictionary<string, string> Settings { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);

    /// <summary>The value of any setting that holds for the topic, the cluster's own included; null where there is none.</summary>
    internal Func<string, string?> SettingInForce { get; init; } = static _ => null;
}
