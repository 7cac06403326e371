namespace Narad.Kafka;

/// <summary>
/// Thrown by a handler: this message goes to the dead-letter topic now, whatever the policy says. Where the subscription has none, its partition stops.
/// </summary>
/// <example>
/// <code>
/// await kafka.SubscribeAsync&lt;OrderPlaced&gt;(
///     "orders",
///     (order, context, token) =&gt; order.OrderId.Length == 0 ? throw new DeadLetterException("an order without an id") : Task.CompletedTask,
///     configure: o =&gt; o.DeadLetter.Enabled = true);
/// </code>
/// </example>
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
