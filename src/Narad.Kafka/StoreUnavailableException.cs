namespace Narad.Kafka;

/// <summary>
/// A store that a subscription needs (its inbox, its message store) cannot be reached, or cannot say whether it did what it was asked. It says nothing about
/// the message: the circuit of the
/// subscription opens, the message is handed back, and handling resumes by itself. Thrown by implementations of <see cref="IInbox"/> and
/// <see cref="IMessageStore"/>.
/// </summary>
public sealed class StoreUnavailableException : NaradKafkaException
{
    /// <summary>Creates the exception.</summary>
    /// <param name="message">Which store, why, and what to do; never a secret.</param>
    /// <param name="innerException">The cause.</param>
    public StoreUnavailableException(string message, Exception? innerException = null)
        : base(message, innerException)
    {
    }
}
