namespace Narad.Kafka;

/// <summary>The base of what this library throws by itself.</summary>
public abstract class NaradKafkaException : Exception
{
    /// <summary>Creates the exception.</summary>
    protected NaradKafkaException(string message, Exception? innerException = null)
        : base(message, innerException)
    {
    }
}
