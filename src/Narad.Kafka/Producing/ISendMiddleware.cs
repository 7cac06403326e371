namespace Narad.Kafka;

/// <summary>Continues with the next middleware, or with the sending itself.</summary>
public delegate ValueTask<SendResult> SendDelegate(OutgoingMessage message, CancellationToken cancellationToken);

/// <summary>
/// Sees every message before it is serialized; may change it, answer without sending (by not calling <c>next</c>), and observe failures.
/// Runs in the order of registration. Thread-safe: one instance serves all sends.
/// </summary>
public interface ISendMiddleware
{
    /// <summary>Handles one message.</summary>
    ValueTask<SendResult> SendAsync(OutgoingMessage message, SendDelegate next, CancellationToken cancellationToken);
}
