using Narad.Kafka.Diagnostics;

namespace Narad.Kafka;

/// <summary>The base of what this library throws by itself.</summary>
public abstract class NaradKafkaException : Exception
{
    /// <summary>Creates the exception.</summary>
    protected NaradKafkaException(string message, Exception? innerException = null)
        : base(ForeignText.Message(message), innerException)
    {
    }

    // For one whose message has several lines, of which none is from outside.
    private protected NaradKafkaException(string message, bool keepsLines)
        : base(keepsLines ? ForeignText.Lines(message) : ForeignText.Message(message))
    {
    }
}
