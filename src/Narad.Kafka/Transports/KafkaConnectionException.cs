namespace Narad.Kafka;

/// <summary>
/// The cluster cannot be worked with: no broker answered in time, or a group was refused or ended by itself (a right is missing, its static
/// identity was taken over). The message names who and where, the client's reason, and what to check or to do.
/// </summary>
public sealed class KafkaConnectionException : NaradKafkaException
{
    /// <summary>Creates the exception.</summary>
    public KafkaConnectionException(string message, Exception? innerException = null)
        : base(message, innerException)
    {
    }
}
