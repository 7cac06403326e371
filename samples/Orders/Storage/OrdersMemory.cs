using Narad.Kafka;
using Orders.Participants.Payment;
using Orders.Participants.Shipping;
using Orders.Participants.Stock;
using Orders.ReadModel;
using Orders.Saga;

namespace Orders.Storage;

/// <summary>What the roles share where they run in one process without MongoDB. Thread-safe.</summary>
internal sealed class OrdersMemory
{
    public InMemoryInbox Inbox { get; } = new();

    public InMemoryOutboxStore Outbox { get; } = new();

    public InMemoryOrderEventStore.Logs Logs { get; } = new();

    public InMemorySagaStore Sagas { get; } = new();

    public InMemoryPayments Payments { get; } = new();

    public InMemoryWarehouse Warehouse { get; } = new();

    public InMemoryShipments Shipments { get; } = new();

    public InMemoryOrderReadModel ReadModel { get; } = new();
}
