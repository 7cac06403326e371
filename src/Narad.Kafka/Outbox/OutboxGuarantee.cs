namespace Narad.Kafka;

/// <summary>What an outbox promises.</summary>
public enum OutboxGuarantee
{
    /// <summary>
    /// There are no transactions: what the application writes and what it enqueues are two writes, and a crash between them leaves one of them. What is
    /// enqueued is sent at least once.
    /// </summary>
    AtLeastOnce,

    /// <summary>What the application writes and what it enqueues in one transaction commit together or not at all. What is committed is sent at least
    /// once.</summary>
    Transactional,
}
