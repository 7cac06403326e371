namespace Narad.Kafka;

/// <summary>
/// The dead-letter topic: a message that cannot be handled is published there byte for byte, with headers that say where it came from and why. Its offset
/// is finished when the broker acknowledged the dead letter. The topic must exist when the subscription starts, or is created with as many partitions and
/// unlimited retention (<see cref="KafkaOptions.TopicCreation"/>).
/// </summary>
public sealed class DeadLetterOptions
{
    /// <summary>Whether messages that cannot be handled go to the dead-letter topic. Default false; always true with a retry topic.</summary>
    public bool Enabled { get; set; }

    /// <summary>The dead-letter topic's name. Default: the source topic's name with <c>-dlt</c> at its end.</summary>
    public string? TopicName { get; set; }
}
