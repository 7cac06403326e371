namespace Narad.Kafka;

/// <summary>
/// A partition cannot be read from where its group stands: the committed offset is not there any more, or there is none and the start position
/// is <see cref="StartPosition.Stop"/>. The message says which, and how to continue.
/// </summary>
public sealed class OffsetUnavailableException : NaradKafkaException
{
    /// <summary>Creates the exception.</summary>
    public OffsetUnavailableException(string message)
        : base(message)
    {
    }
}
