namespace Narad.Kafka;

/// <summary>Continues with the next middleware, or with the sending itself.</summary>
public delegate ValueTask<SendResult> SendDelegate(OutgoingMessage message, CancellationToken cancellationToken);

/// <summary>
/// Sees every message before it is serialized; may change it, answer without sending (by not calling <c>next</c>), and observe failures.
/// Runs in the order of registration. Thread-safe: one instance serves all sends.
/// </summary>
/// <remarks>
/// A message keeps the place in its topic's queue that it got when it was sent, however long its middleware takes; later messages of the topic wait for it,
/// until <see cref="KafkaOptions.SendTimeout"/>. Middleware may send by itself and await that, to the same topic too: what is sent from within middleware does
/// not wait for messages whose middleware is still at work, so it is written before the message that it was sent for. It passes the middleware again: send only
/// where the message is not such a one, else it never ends.
/// </remarks>
public interface ISendMiddleware
{
    /// <summary>Handles one message.</summary>
    ValueTask<SendResult> SendAsync(OutgoingMessage message, SendDelegate next, CancellationToken cancellationToken);
}
