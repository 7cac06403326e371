namespace Narad.Kafka;

/// <summary>
/// The transactions of a group whose subscriptions are <see cref="SubscriptionOptions.ExactlyOnce"/>. Every method returns the same instance, so that calls chain. The subscriptions of
/// one group share its transactions, so they must say the same.
/// </summary>
public sealed class ExactlyOnceOptions
{
    internal int MaxMessagesValue { get; private set; } = 500;

    internal TimeSpan MaxWaitValue { get; private set; } = TimeSpan.FromMilliseconds(100);

    internal TimeSpan TransactionTimeoutValue { get; private set; } = TimeSpan.FromMinutes(1);

    internal TimeSpan? TimeLimitValue { get; private set; }

    internal string? InstanceNameValue { get; private set; }

    internal string? TransactionalIdPrefixValue { get; private set; }

    /// <summary>The most messages of one transaction; 1 to 100,000; default 500. Each transaction costs some milliseconds at the broker, however few messages it has.</summary>
    public ExactlyOnceOptions MaxMessages(int messages)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(messages, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(messages, 100_000);
        MaxMessagesValue = messages;
        return this;
    }

    /// <summary>The longest that a transaction waits to fill, before its handlers start; 0 to 1 min; default 100 ms.</summary>
    public ExactlyOnceOptions MaxWait(TimeSpan wait)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(wait, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(wait, TimeSpan.FromMinutes(1));
        MaxWaitValue = wait;
        return this;
    }

    /// <summary>
    /// <c>transaction.timeout.ms</c>: the broker aborts a transaction that is open for longer, and others wait for so long for the offsets of an instance that crashed and does not come back;
    /// 2 s to 15 min (the brokers' <c>transaction.max.timeout.ms</c> must allow it); default 60 s.
    /// </summary>
    public ExactlyOnceOptions TransactionTimeout(TimeSpan timeout)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(timeout, TimeSpan.FromSeconds(2));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(timeout, TimeSpan.FromMinutes(15));
        TransactionTimeoutValue = timeout;
        return this;
    }

    /// <summary>
    /// The longest that the handlers of one transaction may take together, before their token is cancelled and it is aborted by us; above 0, below <see cref="TransactionTimeout"/>;
    /// default: three quarters of that. A message that took half of it or more has failed, with a <see cref="TimeoutException"/>; where none did, the next transactions are smaller.
    /// </summary>
    public ExactlyOnceOptions TimeLimit(TimeSpan limit)
    {
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(limit, TimeSpan.Zero);
        TimeLimitValue = limit;
        return this;
    }

    /// <summary>
    /// The name of this instance in its <c>transactional.id</c>, <c>{prefix}-{group}-{instance}</c>: the same after a restart, another one for each instance that runs at the same time. Default:
    /// <see cref="KafkaOptions.GroupInstanceId"/>, else the machine's name with the lowest number that no running process of this machine has (<c>web-1-0</c>, <c>web-1-1</c>).
    /// </summary>
    /// <exception cref="ArgumentException">The name is empty.</exception>
    public ExactlyOnceOptions InstanceName(string name)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        InstanceNameValue = name;
        return this;
    }

    /// <summary>What the <c>transactional.id</c> begins with, for brokers that give the right to write by it; default: <see cref="KafkaOptions.ClientId"/>.</summary>
    /// <exception cref="ArgumentException">The prefix is empty.</exception>
    public ExactlyOnceOptions TransactionalIdPrefix(string prefix)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(prefix);
        TransactionalIdPrefixValue = prefix;
        return this;
    }
}
