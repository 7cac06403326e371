namespace Narad.Kafka;

/// <summary>
/// Handles the messages of a hosted subscription. Registered by <c>AddSubscription</c>; has the lifetime it was registered with, transient
/// if nothing else registered it. It is resolved once for each message (or retry), from a scope of its own; a singleton costs no scope.
/// </summary>
/// <typeparam name="T">The message's type.</typeparam>
public interface IMessageHandler<in T>
{
    /// <summary>Handles one message; the message is finished when the task completes.</summary>
    /// <param name="message">The message; null only where the subscription opted in to tombstones.</param>
    /// <param name="context">Where it came from.</param>
    /// <param name="cancellationToken">
    /// Cancelled when the assignment is lost, at the revoke deadline, at the end of the shutdown drain, and at
    /// <see cref="SubscriptionOptions.Timeout"/>.
    /// </param>
    Task HandleAsync(T message, MessageContext context, CancellationToken cancellationToken);
}
