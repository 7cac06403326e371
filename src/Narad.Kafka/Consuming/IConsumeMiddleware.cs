namespace Narad.Kafka;

/// <summary>Continues with the next middleware, or with the handler.</summary>
public delegate Task ConsumeDelegate(object? message, MessageContext context, CancellationToken cancellationToken);

/// <summary>
/// Sees every message after it was deserialized and before its handler (each of a batch: before the batch's handler). May change the message (pass another
/// one on), end its handling as a success (by not calling <c>next</c>) and observe failures (what <c>next</c> throws; swallowing it makes it a success).
/// Thread-safe: one instance serves all messages.
/// </summary>
public interface IConsumeMiddleware
{
    /// <summary>Handles one message.</summary>
    Task HandleAsync(object? message, MessageContext context, ConsumeDelegate next, CancellationToken cancellationToken);
}
