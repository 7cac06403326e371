namespace Narad.Kafka;

/// <summary>Something could not be done to a topic: created, looked at, changed, deleted, read. The message names topic and reason.</summary>
public sealed class KafkaTopicException : NaradKafkaException
{
    /// <summary>Creates the exception.</summary>
    public KafkaTopicException(string message, string topic, Exception? innerException = null)
        : base(message, innerException)
    {
        Topic = topic;
    }

    /// <summary>The topic.</summary>
    public string Topic { get; }

    /// <summary>Whether no broker answered: one that does not answer now may answer later; one that refuses will refuse again.</summary>
    internal bool IsPassing => InnerException is Confluent.Kafka.KafkaException or TimeoutException;
}
