namespace Narad.Kafka;

/// <summary>A topic could not be created or looked at; the message names topic and reason.</summary>
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
}
