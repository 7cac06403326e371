namespace Narad.Kafka;

/// <summary>Thrown by a handler: this message goes to the dead-letter topic now, whatever the policy says. Where the subscription has none, its partition stops.</summary>
public sealed class DeadLetterException : NaradKafkaException
{
    /// <summary>Says why.</summary>
    /// <param name="reason">What an operator should read beside the message.</param>
    /// <param name="cause">What went wrong, if anything did.</param>
    public DeadLetterException(string reason, Exception? cause = null)
        : base(reason, cause)
    {
    }
}
