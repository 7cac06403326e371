namespace Narad.Kafka;

/// <summary>Whether the library creates the topics that it sends to and subscribes to. On <see cref="KafkaMode.Embedded"/> it always does.</summary>
public enum TopicCreation
{
    /// <summary>Never. The default.</summary>
    None,

    /// <summary>When first used, with <see cref="KafkaOptions.TopicPartitions"/> partitions.</summary>
    IfMissing,
}
