using Narad.Kafka.Configuration;

namespace Narad.Kafka;

/// <summary>
/// How one subscription handles its messages. Set from code and from the section <c>Kafka:Subscriptions:{topic or name}</c>; code beats configuration. A
/// property that is null takes
/// its value from <see cref="KafkaOptions"/>. Read once, when the subscription starts; all errors are reported together in one
/// <see cref="KafkaConfigurationException"/>.
/// </summary>
/// <example>
/// <code>
/// builder.Services.AddNaradKafka()
///     .AddSubscription&lt;OrderPlaced, BillOrder&gt;("orders", group: "billing", o =&gt;
///     {
///         o.Parallelism = 64;
///         o.Retry.InMemory.MaxAttempts = 2;
///         o.Retry.Topic.MaxAttempts = 3;
///         o.DeadLetter.Enabled = true;
///     });
/// </code>
/// </example>
public sealed class SubscriptionOptions : IBindingTarget
{
    /// <summary>The name of the subscription's section in <c>Kafka:Subscriptions</c>. Default: the topic's name, as given in code. Code only.</summary>
    public string? Name { get; set; }

    /// <summary>How many handlers may run at once. 1 to 10,000; default <see cref="KafkaOptions.Parallelism"/> (32).</summary>
    public int? Parallelism { get; set; }

    /// <summary>
    /// Which messages are handled in order. Default <see cref="MessageOrder.ByKey"/>. An order that is set explicitly is kept: with a retry topic, where
    /// other messages overtake a failed one, start is
    /// refused unless <see cref="RetryOptions.PreserveKeyOrder"/> or <see cref="RetryOptions.AllowReorder"/> is true.
    /// </summary>
    public MessageOrder? Order { get; set; }

    /// <summary>What happens when a handler fails, before its message becomes a dead letter or its partition stops.</summary>
    public RetryOptions Retry { get; } = new();

    /// <summary>Where messages go that cannot be handled. Default: off; their partition stops.</summary>
    public DeadLetterOptions DeadLetter { get; } = new();

    /// <summary>Pauses the subscription while most of its messages fail. Default: off.</summary>
    public CircuitBreakerOptions CircuitBreaker { get; } = new();

    /// <summary>Handles each message once per group, as noted in an inbox. Default: off.</summary>
    public InboxOptions Once { get; } = new();

    /// <summary>Handles messages in Kafka transactions. Default: off.</summary>
    public ExactlyOnceOptions ExactlyOnce { get; } = new();

    /// <summary>
    /// The time limit of one invocation: after it the handler's token is cancelled, and the failure counts as a <see cref="TimeoutException"/>. Above 0, at
    /// most one day; default: no limit.
    /// A handler that ignores its token is waited for: two handlers never run for one key.
    /// </summary>
    public TimeSpan? Timeout { get; set; }

    /// <summary>Whether the handler receives tombstones (null values). Default false: they are finished without a handler.</summary>
    public bool IncludeTombstones { get; set; }

    /// <summary>Where the group starts where it has no committed offset (<c>auto.offset.reset</c>). Default <see cref="KafkaOptions.StartPosition"/>.</summary>
    public StartPosition? StartPosition { get; set; }

    /// <summary>
    /// Broadcast subscriptions only: starts at the first message of this time or later, in place of <see cref="StartPosition"/>. Default none. Code only.
    /// </summary>
    public DateTimeOffset? StartTime { get; set; }

    /// <summary>What to do when the committed offset does not exist any more. Default <see cref="KafkaOptions.OnOutOfRange"/>.</summary>
    public OutOfRangePolicy? OnOutOfRange { get; set; }

    /// <summary>What to do with a failure that no policy covers. Default <see cref="KafkaOptions.OnUnhandled"/>.</summary>
    public UnhandledPolicy? OnUnhandled { get; set; }

    /// <summary>What to do with a message whose type has no handler; only where handlers are chosen by type, where <c>Otherwise</c> sets it. Default
    /// <see cref="UnknownTypePolicy.Fail"/>.</summary>
    public UnknownTypePolicy OnUnknownType { get; set; }

    /// <summary>
    /// The largest number of messages in one batch. 1 to 100,000; default <see cref="KafkaOptions.MaxBatchSize"/> (500). Batch handlers only.
    /// </summary>
    public int? MaxBatchSize { get; set; }

    /// <summary>How long a batch waits to fill. 0 to 1 min; default <see cref="KafkaOptions.MaxBatchWait"/> (200 ms). Batch handlers only.</summary>
    public TimeSpan? MaxBatchWait { get; set; }

    /// <summary>The deserializer of this subscription. Default: that of <see cref="KafkaOptions"/> (JSON). Code only.</summary>
    public IMessageDeserializer? Deserializer { get; set; }

    /// <summary>Middleware around this subscription's handler, inside the middleware of the service. Code only.</summary>
    public IList<IConsumeMiddleware> Middleware { get; } = [];

    /// <summary>Whether its handler is nothing without a store: then it has a circuit that opens while the store is unavailable.</summary>
    internal bool NeedsStore { get; set; }

    internal List<string> BindingErrors { get; } = [];

    List<string> IBindingTarget.BindingErrors => BindingErrors;

    /// <summary>Whether no order was asked for by name.</summary>
    internal bool IsOrderOnlyDefault => Order is null && !Retry.AllowReorder && !Retry.PreserveKeyOrder;

    /// <summary>Whether failed messages may leave for another topic: a retry topic brings dead letters with it.</summary>
    internal bool HasFailureTopics => DeadLetter.Enabled || Retry.Topic.IsEnabled;
}
