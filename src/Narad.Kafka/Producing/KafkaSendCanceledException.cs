namespace Narad.Kafka;

/// <summary>
/// A send was cancelled before the broker answered. Cancelling removes a message that still waits in the send queue; once the client has the message, it stops
/// only the waiting.
/// </summary>
public sealed class KafkaSendCanceledException : OperationCanceledException
{
    /// <summary>Creates the exception.</summary>
    /// <param name="message">What was cancelled, and what became of the message.</param>
    /// <param name="topic">The topic's real name.</param>
    /// <param name="mayHaveBeenWritten">Whether the client had the message already.</param>
    /// <param name="cancellationToken">The token that was cancelled.</param>
    public KafkaSendCanceledException(string message, string topic, bool mayHaveBeenWritten, CancellationToken cancellationToken)
        : base(message, cancellationToken)
    {
        Topic = topic;
        MayHaveBeenWritten = mayHaveBeenWritten;
    }

    /// <summary>The topic's real name.</summary>
    public string Topic { get; }

    /// <summary>
    /// False: the message was not written and will not be, so sending it again writes it once. True: the client has it and keeps sending it, so sending it
    /// again may write it twice.
    /// </summary>
    public bool MayHaveBeenWritten { get; }
}
