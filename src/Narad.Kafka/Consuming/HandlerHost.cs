namespace Narad.Kafka.Consuming;

/// <summary>Where a hosted handler comes from, and whether one instance serves all messages.</summary>
internal sealed record HandlerHost(IServiceProvider Services, bool IsSingleton);
