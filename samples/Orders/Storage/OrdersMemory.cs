using Narad.Kafka;
using Orders.ReadModel;

namespace Orders.Storage;

/// <summary>What the roles share where they run in one process without MongoDB. Thread-safe.</summary>
internal sealed class OrdersMemory
{
    public InMemoryInbox Inbox { get; } = new();

    public InMemoryOutboxStore Outbox { get; } = new();

    public InMemoryOrderEventStore.Logs Logs { get; } = new();

    public InMemoryOrderReadModel ReadModel { get; } = new();
}
