namespace Narad.Kafka;

/// <summary>What an inbox promises.</summary>
public enum InboxGuarantee
{
    /// <summary>
    /// A handler that returned is not called again for the message; one that was interrupted (a crash) is. Effects happen at least once: the handler must
    /// stand being called again after a crash.
    /// </summary>
    AtLeastOnce,

    /// <summary>What the handler writes through its session and the note commit together or not at all: effects happen once.</summary>
    Transactional,
}
