namespace Narad.Kafka;

/// <summary>
/// Handles messages in Kafka transactions: what handlers send through
/// <see cref="MessageContext.SendAsync{T}(string, T, MessageKey, SendOptions?, CancellationToken)"/>, the offsets and the dead letters are committed
/// together or not at all, also through crashes and rebalances, for readers with <c>isolation.level=read_committed</c>. A failure aborts the transaction,
/// its messages are handled again, and the failed one gets a transaction of its own. What handlers do elsewhere (a database, another service) is not part
/// of it and may happen more than once. Real Kafka only; all subscriptions of a group or none, with the same values; not with retry topics.
/// </summary>
public sealed class ExactlyOnceOptions
{
    /// <summary>Whether the subscription handles its messages in transactions. Default false.</summary>
    public bool Enabled { get; set; }

    /// <summary>
    /// The largest number of messages in one transaction. 1 to 100,000; default 500. Each transaction costs some milliseconds at the broker, however few
    /// messages it has.
    /// </summary>
    public int MaxMessages { get; set; } = 500;

    /// <summary>How long a transaction waits to fill before its handlers start. 0 to 1 min; default 100 ms.</summary>
    public TimeSpan MaxWait { get; set; } = TimeSpan.FromMilliseconds(100);

    /// <summary>
    /// <c>transaction.timeout.ms</c>: the broker aborts a transaction that is open for longer. Other members wait as long for the offsets of an instance
    /// that crashed and does not come back. 2 s to 15 min (the brokers' <c>transaction.max.timeout.ms</c> must allow it); default 60 s.
    /// </summary>
    public TimeSpan TransactionTimeout { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>
    /// The time limit of the handlers of one transaction together: after it their token is cancelled and the transaction is aborted. Above 0, below
    /// <see cref="TransactionTimeout"/>; default three quarters of that. A message that took half of it or more has failed with a
    /// <see cref="TimeoutException"/>; where none did, the next transactions are smaller.
    /// </summary>
    public TimeSpan? TimeLimit { get; set; }

    /// <summary>
    /// The name of this instance in its <c>transactional.id</c>, <c>{prefix}-{group}-{instance}</c>: the same after a restart, another one for each
    /// instance that runs at the same time. Default <see cref="KafkaOptions.GroupInstanceId"/>, else the machine's name with the lowest number that no
    /// running process of this machine has (<c>web-1-0</c>, <c>web-1-1</c>).
    /// </summary>
    public string? InstanceName { get; set; }

    /// <summary>The beginning of the <c>transactional.id</c>, for brokers that authorize by it. Default <see cref="KafkaOptions.ClientId"/>.</summary>
    public string? TransactionalIdPrefix { get; set; }
}
