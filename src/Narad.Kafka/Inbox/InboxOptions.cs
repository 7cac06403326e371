namespace Narad.Kafka;

/// <summary>
/// Handles each message once per (group, topic, message id): what was handled is noted in an <see cref="IInbox"/>, and a message that comes again is
/// finished without its handler. Needs a handler of
/// single messages. The subscription then has a circuit: while the inbox's store is unavailable it pauses, commits nothing and makes no dead letters.
/// </summary>
public sealed class InboxOptions : MessageIdOptions
{
    /// <summary>Whether messages are handled once. Default false.</summary>
    public bool Enabled { get; set; }

    /// <summary>
    /// How long the inbox remembers a message. Above 0, at most 366 days; default 8 days. Below the topic's retention a message that is read again later (a
    /// reset, a replay) is handled again: the start
    /// logs a warning.
    /// </summary>
    public TimeSpan Retention { get; set; } = TimeSpan.FromDays(8);

    /// <summary>The inbox. Default: the one that is registered in the container (<c>AddMongo</c>). Code only.</summary>
    public IInbox? Inbox { get; set; }
}
