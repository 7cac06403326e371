namespace Narad.Kafka;

/// <summary>
/// Told what became of messages that could not be handled, once the broker has the retry record or dead letter: for alerts, and for tests. It decides
/// nothing, and what it throws is logged and changes nothing. Called on the thread pool by many handlers at once, so it must be thread-safe and quick.
/// </summary>
public interface IFailureObserver
{
    /// <summary>A message went to its retry topic.</summary>
    /// <param name="message">The message, where it failed, and the error.</param>
    /// <param name="retryRecord">The coordinates of the record.</param>
    /// <param name="due">When it is to be handled again, UTC.</param>
    void OnRetryScheduled(FailedMessage message, SendResult retryRecord, DateTimeOffset due);

    /// <summary>A message went to its dead-letter topic.</summary>
    /// <param name="message">The message, where it failed, and the error.</param>
    /// <param name="deadLetter">The coordinates of the record.</param>
    void OnDeadLettered(FailedMessage message, SendResult deadLetter);
}
