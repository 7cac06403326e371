using Narad.Kafka.Topics;

namespace Narad.Kafka;

/// <summary>
/// How one subscription handles its messages. Every method returns the same instance, so that calls chain; what is not set comes from
/// <see cref="KafkaOptions"/>. Read once, when the subscription starts.
/// </summary>
public sealed class SubscriptionOptions
{
    private MessageOrder? _order;

    internal int? ParallelismValue { get; private set; }

    internal MessageOrder OrderValue => _order ?? MessageOrder.ByKey;

    /// <summary>Whether by key is only what nobody said otherwise about.</summary>
    internal bool IsOrderOnlyDefault => _order is null && !RetryValue.ReorderAllowed && !RetryValue.Parks;

    /// <summary>Whether failed messages may leave for another topic: a retry topic brings dead letters with it.</summary>
    internal bool HasCopies => DeadLettersValue || RetryValue.Ladder is not null;

    internal RetryOptions RetryValue { get; } = new();

    internal bool DeadLettersValue { get; private set; }

    internal string? DeadLetterTopicValue { get; private set; }

    internal CircuitBreakerOptions? CircuitValue { get; private set; }

    internal ExactlyOnceOptions? ExactlyOnceValue { get; private set; }

    internal TimeSpan? TimeoutValue { get; private set; }

    internal bool TombstonesValue { get; private set; }

    internal StartPosition? StartValue { get; private set; }

    internal OutOfRangePolicy? OutOfRangeValue { get; private set; }

    internal UnhandledPolicy? UnhandledValue { get; private set; }

    internal UnknownTypePolicy UnknownTypeValue { get; private set; }

    internal IMessageDeserializer? DeserializerValue { get; private set; }

    internal List<IConsumeMiddleware> MiddlewareValue { get; } = [];

    internal int? MaxBatchSizeValue { get; private set; }

    internal TimeSpan? MaxBatchWaitValue { get; private set; }

    /// <summary>How many handlers may run at once; 1 to 10,000; default <see cref="KafkaOptions.Parallelism"/> (32).</summary>
    public SubscriptionOptions Parallelism(int handlers)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(handlers, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(handlers, 10_000);
        ParallelismValue = handlers;
        return this;
    }

    /// <summary>
    /// Keeps the order within each key (the default): see <see cref="MessageOrder.ByKey"/>. Said by name it is kept: with retry topics, which end it at a failure, start is
    /// refused unless <see cref="RetryOptions.ParkKey"/> keeps it or <see cref="RetryOptions.AllowReorder"/> says that this is right.
    /// </summary>
    public SubscriptionOptions OrderedByKey()
    {
        _order = MessageOrder.ByKey;
        return this;
    }

    /// <summary>Keeps the order within each partition: see <see cref="MessageOrder.ByPartition"/>. With retry topics as <see cref="OrderedByKey"/>.</summary>
    public SubscriptionOptions OrderedByPartition()
    {
        _order = MessageOrder.ByPartition;
        return this;
    }

    /// <summary>Keeps no order.</summary>
    public SubscriptionOptions Unordered()
    {
        _order = MessageOrder.Unordered;
        return this;
    }

    /// <summary>
    /// Moves a message that cannot be handled to a dead-letter topic, byte for byte, with headers that say where it came from and why; its offset is finished when the
    /// broker has the copy. The topic must be there when the subscription starts, or is created with as many partitions and unlimited retention
    /// (<see cref="KafkaOptions.TopicCreation"/>).
    /// </summary>
    /// <param name="topic">The topic's name; default: the source topic's with <c>-dlt</c> at its end.</param>
    /// <exception cref="ArgumentException">The name is not legal.</exception>
    public SubscriptionOptions DeadLetter(string? topic = null)
    {
        if (topic is not null)
        {
            TopicName.Validate(topic, nameof(topic));
        }

        DeadLettersValue = true;
        DeadLetterTopicValue = topic;
        return this;
    }

    /// <summary>What to do when a handler fails, before its message becomes a dead letter or its partition stops.</summary>
    public SubscriptionOptions Retry(Action<RetryOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(configure);
        configure(RetryValue);
        return this;
    }

    /// <summary>
    /// Waits while what the handler needs is down, rather than giving up on message after message: when too many messages fail, nothing of the subscription is started
    /// any more until a single one, tried now and then, succeeds. What failed meanwhile goes back unharmed: it is not judged by <see cref="Retry"/>, and its attempt does
    /// not count. Offsets stay, and the member stays in its group. Default: off.
    /// </summary>
    /// <param name="configure">Changes the defaults: open when half of at least 20 messages failed within 30 s; try after 5 s, 10 s, … up to 1 min; every failure counts.</param>
    public SubscriptionOptions CircuitBreaker(Action<CircuitBreakerOptions>? configure = null)
    {
        CircuitValue ??= new CircuitBreakerOptions();
        configure?.Invoke(CircuitValue);
        return this;
    }

    /// <summary>
    /// Handles in Kafka transactions: what handlers send through <see cref="MessageContext.SendAsync{T}(string, T, MessageKey, SendOptions?, CancellationToken)"/>, the offsets and the
    /// dead letters of some messages are committed together or not at all, also through crashes and rebalances, for readers with <c>isolation.level=read_committed</c> (which ours have). A failure
    /// aborts the transaction, its messages are handled again, and the one that failed gets a transaction of its own. What handlers do elsewhere (a database, another service) is not part of it
    /// and may happen more than once. Real Kafka only; all subscriptions of a group or none; not with retry topics. Default: off.
    /// </summary>
    /// <param name="configure">Changes the defaults: at most 500 messages or 100 ms a transaction, 45 s for its handlers, 60 s at the broker.</param>
    public SubscriptionOptions ExactlyOnce(Action<ExactlyOnceOptions>? configure = null)
    {
        ExactlyOnceValue ??= new ExactlyOnceOptions();
        configure?.Invoke(ExactlyOnceValue);
        return this;
    }

    /// <summary>
    /// The longest that one invocation may take before its token is cancelled, and what it throws then counts as a <see cref="TimeoutException"/>;
    /// above 0, at most one day; default: no limit. A handler that ignores its token is waited for: two never run for one key.
    /// </summary>
    public SubscriptionOptions Timeout(TimeSpan limit)
    {
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(limit, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(limit, TimeSpan.FromDays(1));
        TimeoutValue = limit;
        return this;
    }

    /// <summary>Hands tombstones (null values) to the handler, which otherwise finish unhandled.</summary>
    public SubscriptionOptions WithTombstones()
    {
        TombstonesValue = true;
        return this;
    }

    /// <summary>Where the group starts where it has no committed offset; default <see cref="KafkaOptions.StartPosition"/>.</summary>
    public SubscriptionOptions StartFrom(StartPosition position)
    {
        StartValue = position;
        return this;
    }

    /// <summary>What to do when the committed offset is not there any more; default <see cref="KafkaOptions.OnOutOfRange"/>.</summary>
    public SubscriptionOptions OnOutOfRange(OutOfRangePolicy policy)
    {
        OutOfRangeValue = policy;
        return this;
    }

    /// <summary>What to do with a failure that no policy covers; default <see cref="KafkaOptions.OnUnhandled"/>.</summary>
    public SubscriptionOptions OnUnhandled(UnhandledPolicy policy)
    {
        UnhandledValue = policy;
        return this;
    }

    /// <summary>What to do with a message whose <c>type</c> has no handler; only where handlers are chosen by type. Default <see cref="UnknownTypePolicy.Fail"/>.</summary>
    public SubscriptionOptions OnUnknownType(UnknownTypePolicy policy)
    {
        UnknownTypeValue = policy;
        return this;
    }

    /// <summary>The deserializer of this subscription; default: as <see cref="KafkaOptions"/> says (JSON).</summary>
    public SubscriptionOptions DeserializeWith(IMessageDeserializer deserializer)
    {
        ArgumentNullException.ThrowIfNull(deserializer);
        DeserializerValue = deserializer;
        return this;
    }

    /// <summary>Adds middleware around this subscription's handler, inside what the service adds for all.</summary>
    public SubscriptionOptions Use(IConsumeMiddleware middleware)
    {
        ArgumentNullException.ThrowIfNull(middleware);
        MiddlewareValue.Add(middleware);
        return this;
    }

    /// <summary>The most messages of one batch; 1 to 100,000; default <see cref="KafkaOptions.MaxBatchSize"/> (500). Batch handlers only.</summary>
    public SubscriptionOptions MaxBatchSize(int messages)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(messages, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(messages, 100_000);
        MaxBatchSizeValue = messages;
        return this;
    }

    /// <summary>The longest that a batch waits to fill; 0 to 1 min; default <see cref="KafkaOptions.MaxBatchWait"/> (200 ms). Batch handlers only.</summary>
    public SubscriptionOptions MaxBatchWait(TimeSpan wait)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(wait, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(wait, TimeSpan.FromMinutes(1));
        MaxBatchWaitValue = wait;
        return this;
    }

    /// <summary>Throws where what was asked for cannot be had together.</summary>
    internal void ThrowIfContradictory(string topic, KafkaAssignor assignor, bool isBatch)
    {
        if (RetryValue.Parks && WhyNotParked(topic, assignor, isBatch) is { } reason)
        {
            throw new KafkaConfigurationException([$"the subscription to '{topic}' says Retry(r => r.ParkKey()) {reason}"]);
        }

        if (RetryValue.Ladder is not { } ladder)
        {
            return;
        }

        if (_order is MessageOrder.ByKey or MessageOrder.ByPartition && !RetryValue.ReorderAllowed && !RetryValue.Parks)
        {
            var (method, order) = _order is MessageOrder.ByKey ? (nameof(OrderedByKey), "key") : (nameof(OrderedByPartition), "partition");
            throw new KafkaConfigurationException([
                $"the subscription to '{topic}' says {method}() and has a retry topic: a message that failed is overtaken there by the ones behind it. Say Retry(r => r.ParkKey()) to keep the order of each key; Retry(r => r.AllowReorder()) where this is right; leave {method}() out; or repeat in memory only (InMemory), which keeps the order of each {order}.",
            ]);
        }

        if (ladder.Topic is { } name && (TopicName.IsPattern(topic) || string.Equals(name, topic, StringComparison.Ordinal)))
        {
            throw new KafkaConfigurationException([
                TopicName.IsPattern(topic)
                    ? $"the subscription to the pattern '{topic}' names the retry topic '{name}': each topic that a pattern finds has a retry topic of its own. Leave the name out."
                    : $"the subscription to '{topic}' names that same topic as its retry topic. Name another one, or leave the name out.",
            ]);
        }
    }
    private string? WhyNotParked(string topic, KafkaAssignor assignor, bool isBatch) => this switch
    {
        { RetryValue.Ladder: null } => "and has no retry topic: add Topics(…), or leave ParkKey() out; repetitions in memory keep the order of a key by themselves.",
        { RetryValue.ReorderAllowed: true } => "and AllowReorder(): leave one of them out.",
        { _order: MessageOrder.ByPartition } => "and OrderedByPartition(): it keeps the order of each key, not that of a partition. Say OrderedByKey().",
        { _order: MessageOrder.Unordered } => "and Unordered(): leave one of them out.",
        { RetryValue.AdoptsUngrouped: true } => "and AdoptUngrouped(): what another system writes into the retry topic has no place in a key's order. Leave one of them out.",
        _ when isBatch => "and has a batch handler: it keeps the order of each key, and a batch fails with several. Handle messages one by one, or repeat in memory only (InMemory).",
        _ when TopicName.IsPattern(topic) => "and is to a pattern: subscribe to each topic by its name.",
        _ when assignor is KafkaAssignor.RoundRobin => "which needs the range assignor, and Assignor is RoundRobin. Leave Assignor out, or choose Range.",
        _ => null,
    };
}
