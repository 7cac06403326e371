using Microsoft.Extensions.DependencyInjection;
using Narad.Kafka;

namespace Orders.Storage;

/// <summary>Chooses the storage.</summary>
internal static class OrderStorageExtensions
{
    /// <summary>Event store, inbox and outbox.</summary>
    /// <param name="kafka">The Kafka service's builder.</param>
    /// <param name="configuration">The application's configuration.</param>
    /// <param name="memory">What the roles share where they are in one process and there is no MongoDB.</param>
    public static NaradKafkaBuilder AddOrderStorage(this NaradKafkaBuilder kafka, IConfiguration configuration, OrdersMemory memory)
    {
        var services = kafka.Services;
        services.AddSingleton(TimeProvider.System);
        services.AddSingleton(memory.Logs);
        services.AddSingleton<IInbox>(memory.Inbox);
        services.AddSingleton<IOutboxStore>(memory.Outbox);
        services.AddSingleton<IOrderEventStore, InMemoryOrderEventStore>();
        return kafka.AddOutbox();
    }
}
