namespace Narad.Kafka;

/// <summary>
/// What happens when a handler fails. The decision is made by <see cref="ActionSelector"/>, then by <see cref="ExceptionActions"/>, then by
/// <see cref="InMemory"/> retries, then by the retry <see cref="Topic"/>. A message that still fails goes to the dead-letter topic, or stops its partition
/// where the subscription has none. Default: no retries.
/// </summary>
/// <remarks>
/// Bytes that cannot be deserialized and unknown message types are never retried: they go to the dead-letter topic at once, or stop the partition. A
/// handler decides by itself with <see cref="RetryLaterException"/> and <see cref="DeadLetterException"/>. A message is handled at most (1 + in-memory
/// attempts) × (1 + retry-topic attempts) times.
/// </remarks>
public sealed class RetryOptions
{
    /// <summary>Retries in memory, which hold the message's key (or its partition, with <see cref="MessageOrder.ByPartition"/>).</summary>
    public InMemoryRetryOptions InMemory { get; } = new();

    /// <summary>Retries through a retry topic, which hold nothing.</summary>
    public RetryTopicOptions Topic { get; } = new();

    /// <summary>
    /// Keeps the order of each key through the retry topic. Later messages of a key wait there behind the failed one and are handled after it, in the
    /// order in which they were sent; other keys continue. The order holds across restarts, rebalances and crashes. Waiting counts no attempt. The source
    /// topic pauses while half of <see cref="KafkaOptions.MaxUncommittedMessages"/> messages of a partition wait. Messages without a key are not kept in
    /// order. Default false.
    /// </summary>
    /// <remarks>
    /// One group with the range assignor reads the topic and its retry topic, which must have the same number of partitions. Not with a pattern, batch
    /// handlers, <see cref="AllowReorder"/> or <see cref="RetryTopicOptions.AdoptRecordsWithoutGroup"/>. The broker refuses a member whose assignor
    /// differs from that of the group's other members (classic protocol): use a new group, or stop all members first. After a crash some messages may be
    /// handled again; then all that follow them in their key are handled again too, in order.
    /// </remarks>
    public bool PreserveKeyOrder { get; set; }

    /// <summary>
    /// What happens to the messages that wait behind a failed one when it becomes a dead letter. Only with <see cref="PreserveKeyOrder"/>. Default
    /// <see cref="AfterDeadLetter.Continue"/>.
    /// </summary>
    public AfterDeadLetter AfterDeadLetter { get; set; }

    /// <summary>
    /// Allows that messages of a key change their order once one of them failed: later messages overtake a message in the retry topic. Needed where
    /// <see cref="SubscriptionOptions.Order"/> is set and failures go through a retry topic. Default false.
    /// </summary>
    public bool AllowReorder { get; set; }

    /// <summary>
    /// What to do with failures of a type, derived types included. The causes of an exception count (inner exceptions, all of them where there are
    /// several). The first match in the order of adding decides. Code only.
    /// </summary>
    public IDictionary<Type, FailureAction> ExceptionActions { get; } = new OrderedDictionary<Type, FailureAction>();

    /// <summary>
    /// Decides first, for every failure. Null leaves the decision to the rest of the policy, and so does a delegate that throws (which is logged). Default
    /// none. Code only.
    /// </summary>
    public Func<FailedMessage, FailureAction?>? ActionSelector { get; set; }
}
