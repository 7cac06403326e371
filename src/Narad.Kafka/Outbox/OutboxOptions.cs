namespace Narad.Kafka;

/// <summary>
/// How the outbox and its relay work. Set in code (<c>AddOutbox(options =&gt; …)</c>) and in the section <c>Kafka:Outbox</c> of the host's configuration;
/// code beats configuration.
/// </summary>
public sealed class OutboxOptions
{
    /// <summary>The store. Default: the one that is registered in the container (<c>AddMongo</c>). Code only.</summary>
    public IOutboxStore? Store { get; set; }

    /// <summary>Whether this instance sends what the outbox holds. Default true. False: it only enqueues, and another instance must send.</summary>
    public bool RelayEnabled { get; set; } = true;

    /// <summary>
    /// How often the store is asked for pending messages where nothing wakes the relay. 10 ms to 1 h; default 1 s. Without a wake-up it is the longest wait
    /// before a message is sent.
    /// </summary>
    public TimeSpan PollInterval { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>How many messages the relay has in memory at most, those on their way to Kafka included. 64 to 100,000; default 4,096.</summary>
    public int MaxInFlight { get; set; } = 4_096;

    /// <summary>
    /// How long a relay holds its buckets without renewing, by the store's clock: after a crash another relay takes them over that late. Renewed every third
    /// of it. 1 s to 10 min; default 15 s.
    /// </summary>
    public TimeSpan LeaseDuration { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>
    /// How often a message is refused before it is set aside. 1 to 1,000; default 10. Only refusals of the message itself count (too large for the topic, no
    /// such topic, no right to write to it, an invalid record); while Kafka is away nothing counts.
    /// </summary>
    public int MaxAttempts { get; set; } = 10;

    /// <summary>How long a key waits after its message was refused for the first time; doubled each time. 1 ms to 1 h; default 1 s.</summary>
    public TimeSpan RetryDelay { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>The longest wait of a key after a refusal. 1 ms to 1 day, not below <see cref="RetryDelay"/>; default 1 min.</summary>
    public TimeSpan MaxRetryDelay { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>What later messages of a key do when a message of it was set aside. Default <see cref="OutboxKeyPolicy.Wait"/>.</summary>
    public OutboxKeyPolicy KeyAfterSetAside { get; set; } = OutboxKeyPolicy.Wait;

    /// <summary>
    /// How long dispatched messages are kept. 0 to 366 days; default 1 day; 0 deletes them at once. Pending messages and those set aside never expire.
    /// </summary>
    public TimeSpan Retention { get; set; } = TimeSpan.FromDays(1);

    /// <summary>How often pending messages are counted, for metrics and health. 1 s to 1 h; default 15 s.</summary>
    public TimeSpan CountInterval { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>Health is degraded while the oldest pending message is older. Above 0; default 1 min.</summary>
    public TimeSpan DegradedAfter { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>Health is unhealthy while the oldest pending message is older. Not below <see cref="DegradedAfter"/>; default 10 min.</summary>
    public TimeSpan UnhealthyAfter { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>Health is degraded while more messages are pending. 1 or more; default: no limit.</summary>
    public long? DegradedPending { get; set; }

    /// <summary>Health is unhealthy while more messages are pending. 1 or more; default: no limit.</summary>
    public long? UnhealthyPending { get; set; }
}
