namespace ClientToClient;

/// <summary>A message on its way.</summary>
/// <param name="From">Who sends it.</param>
/// <param name="To">Whom it is for.</param>
/// <param name="Message">What it says.</param>
/// <param name="Timestamp">When client A took it, in whole milliseconds, as a database's date has them.</param>
internal sealed record ClientMessage(string From, string To, string Message, DateTimeOffset Timestamp)
{
    /// <summary>The topic.</summary>
    public const string Topic = "client-messages";

    /// <summary>Where client B's failed messages wait for their retries.</summary>
    public const string RetryTopic = "client-messages-retry";

    /// <summary>Where messages end that have failed too often.</summary>
    public const string DeadLetterTopic = "client-messages-dlt";

    /// <summary>The header with the message id.</summary>
    public const string IdHeader = "message-id";
}
