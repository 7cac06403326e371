using System.Collections.Concurrent;

namespace Orders.Participants.Shipping;

/// <summary>The shipments of this process, lost at its exit. Thread-safe.</summary>
internal sealed class InMemoryShipments : IShipments
{
    private readonly ConcurrentDictionary<string, Shipment> _shipments = new(StringComparer.Ordinal);

    public Task<Shipment?> FindAsync(string orderId, CancellationToken cancellationToken) => Task.FromResult(_shipments.GetValueOrDefault(orderId));

    public Task AddAsync(Shipment shipment, CancellationToken cancellationToken) => _shipments.TryAdd(shipment.OrderId, shipment)
        ? Task.CompletedTask
        : throw new InvalidOperationException($"Order '{shipment.OrderId}' has a shipment already.");

    public Task<IReadOnlyList<Shipment>> AllAsync(CancellationToken cancellationToken) => Task.FromResult<IReadOnlyList<Shipment>>([.. _shipments.Values]);
}
