using Narad.Kafka.Diagnostics;

namespace Narad.Kafka.Consuming;

/// <summary>A subscription as the builder was told of it; comes to life at the host's start. Without a topic, that of its message type's route.</summary>
internal sealed record SubscriptionRegistration(
    string? Topic,
    Type? MessageType,
    string? Group,
    Action<SubscriptionOptions>? Configure,
    bool IsBatch,
    SubscriptionRegistration.PipelineFactory Pipeline,
    Func<Type, bool> IsSingleton,
    IReadOnlyList<Type> Handlers,
    string HandlerName,
    IEnumerable<string> Errors)
{
    /// <summary>What it subscribes to, for people.</summary>
    public string Subject => Topic ?? MessageType!.Name;

    /// <summary>Null: a group's subscription. Else a broadcast one, and whether the host's start waits until it has caught up.</summary>
    public bool? BroadcastWaits { get; init; }

    public delegate HandlerPipeline PipelineFactory(SubscriptionSettings settings, ConsumingMetrics metrics, KafkaDiagnostics diagnostics, HandlerHost host);
}
