using Narad.Kafka.Diagnostics;

namespace Narad.Kafka.Consuming;

/// <summary>A subscription as the builder was told of it; comes to life at the host's start.</summary>
internal sealed record SubscriptionRegistration(
    string Topic,
    string? Group,
    Action<SubscriptionOptions>? Configure,
    bool IsBatch,
    SubscriptionRegistration.PipelineFactory Pipeline,
    Func<bool> IsSingleton,
    Type Handler)
{
    public delegate HandlerPipeline PipelineFactory(SubscriptionSettings settings, ConsumingMetrics metrics, KafkaDiagnostics diagnostics, HandlerHost host);
}
