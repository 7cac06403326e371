namespace Narad.Kafka;

/// <summary>What to do when a topic exists and is not as it was declared (<see cref="KafkaOptions.Topics"/>). It is never changed.</summary>
public enum TopicMismatchPolicy
{
    /// <summary>Log a warning that names each difference (event 6030), and continue. The default.</summary>
    Warn,

    /// <summary>Fail the start with a <see cref="KafkaTopicException"/> that names each difference.</summary>
    Fail,
}
