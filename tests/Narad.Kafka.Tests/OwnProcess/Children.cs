namespace Narad.Kafka.Tests.OwnProcess;

/// <summary>What runs in a process of its own, by name: for what may end the process, and for what is measured of a whole process.</summary>
internal static class Children
{
    public static readonly IReadOnlyDictionary<string, Func<string[], Task<int>>> All = new Dictionary<string, Func<string[],
        Task<int>>>(StringComparer.Ordinal)
    {
        [nameof(BadMetadata)] = BadMetadata.RunAsync,
        [nameof(BadMetadata.AskAsAdministratorAsync)] = BadMetadata.AskAsAdministratorAsync,
        [nameof(AbandonedCalls)] = AbandonedCalls.RunAsync,
        [nameof(IdleEmbeddedBroker)] = IdleEmbeddedBroker.RunAsync,
        [nameof(FailingHost)] = FailingHost.RunAsync,
        [nameof(StoppingHost)] = StoppingHost.RunAsync,
        [nameof(KilledConsumer)] = KilledConsumer.RunAsync,
        [nameof(HangingEmbeddedBroker)] = HangingEmbeddedBroker.RunAsync,
    };
}
