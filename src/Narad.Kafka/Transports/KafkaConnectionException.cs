namespace Narad.Kafka;

/// <summary>No broker answered in time. The message names the brokers, the time waited, the client's reason and what to check.</summary>
public sealed class KafkaConnectionException : NaradKafkaException
{
    /// <summary>Creates the exception.</summary>
    public KafkaConnectionException(string message, Exception? innerException = null)
        : base(message, innerException)
    {
    }
}
