using Narad.Kafka.Failures;
using Narad.Kafka.Serialization;
using Narad.Kafka.Topics;
using Narad.Kafka.Transactions;

namespace Narad.Kafka.Consuming;

/// <summary>A subscription's options with the service's defaults filled in; immutable.</summary>
internal sealed record SubscriptionSettings
{
    public required string Topic { get; init; }

    public required string Group { get; init; }

    /// <summary>What its handler is called in messages to people.</summary>
    public string Handler { get; init; } = "a handler";

    public required int Parallelism { get; init; }

    public required MessageOrder Order { get; init; }

    public required RetryOptions Retry { get; init; }

    /// <summary>Null: there are no dead letters and no retry topic.</summary>
    public required FailureTopics? FailureTopics { get; init; }

    /// <summary>Of a retry topic's subscription: what it reads there. Null everywhere else.</summary>
    public RetrySource? Retries { get; init; }

    public required IReadOnlyList<IFailureObserver> Observers { get; init; }

    /// <summary>Null: there is none.</summary>
    public CircuitBreaker? Circuit { get; init; }

    /// <summary>Null: offsets are committed by themselves, and what handlers send counts at once.</summary>
    public ExactlyOnceSettings? ExactlyOnce { get; init; }

    /// <summary>What its handlers send through, outside of transactions; null in tests.</summary>
    public IMessageSender? Sender { get; init; }

    /// <summary>Where its group reports what keeps it from consuming; null in tests.</summary>
    public StallCauses? Causes { get; init; }

    public required TimeSpan? Timeout { get; init; }

    public required bool Tombstones { get; init; }

    public required StartPosition Start { get; init; }

    /// <summary>Where a broadcast subscription starts; null where <see cref="Start"/> says it.</summary>
    public DateTimeOffset? StartTime { get; init; }

    /// <summary>Whether every instance receives every message: no group is joined, nothing is committed, and a message that fails is given up.</summary>
    public bool IsBroadcast { get; init; }

    public required OutOfRangePolicy OutOfRange { get; init; }

    public required UnhandledPolicy Unhandled { get; init; }

    /// <summary>Of a subscription whose handlers are chosen by type: what happens to messages of other types.</summary>
    public UnknownTypePolicy UnknownType { get; init; }

    public required MessageDecoder Decoder { get; init; }

    public required IReadOnlyList<IConsumeMiddleware> Middleware { get; init; }

    public required BatchLimits Batch { get; init; }

    public required IServiceProvider? Services { get; init; }

    /// <summary>Whether keys are kept in order through the retry topic: of the subscription and of that to its retry topic.</summary>
    public bool KeepsKeyOrder => Retry.PreserveKeyOrder;

    public bool IsPattern => TopicName.IsPattern(Topic);

    public static SubscriptionSettings From(string topic, string group, SubscriptionOptions options, KafkaOptions defaults, IServiceProvider? services,
        FailureTopics? failureTopics = null) => new()
    {
        Topic = topic,
        Group = group,
        Parallelism = options.Parallelism ?? defaults.Parallelism,
        Order = options.Order ?? MessageOrder.ByKey,
        Retry = options.Retry,
        FailureTopics = failureTopics,
        Observers = [.. defaults.FailureObservers],
        ExactlyOnce = options.ExactlyOnce is { Enabled: true } transactions ? ExactlyOnceSettings.From(transactions, defaults) : null,
        Timeout = options.Timeout,
        Tombstones = options.IncludeTombstones,
        Start = options.StartPosition ?? defaults.StartPosition,
        OutOfRange = options.OnOutOfRange ?? defaults.OnOutOfRange,
        Unhandled = options.OnUnhandled ?? defaults.OnUnhandled,
        UnknownType = options.OnUnknownType,
        Decoder = new MessageDecoder(defaults, options.Deserializer),
        Middleware = [.. defaults.ConsumeMiddleware, .. options.Middleware],
        Batch = new BatchLimits(options.MaxBatchSize ?? defaults.MaxBatchSize, options.MaxBatchWait ?? defaults.MaxBatchWait),
        Services = services,
    };
}
