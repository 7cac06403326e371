using Narad.Kafka;

namespace Orders.Participants.Shipping;

/// <summary>What was decided about an order's parcel; nothing changes it any more.</summary>
/// <param name="OrderId">The order.</param>
/// <param name="TrackingNumber">The parcel's number; null where none was shipped.</param>
/// <param name="Address">Where it went; null where none was shipped.</param>
/// <param name="Reason">Why none was shipped; null where one was.</param>
internal sealed record Shipment(string OrderId, string? TrackingNumber, string? Address, string? Reason);

/// <summary>
/// The shipments. In the handler of a message it joins the transaction of that message. Thread-safe. Every member fails with
/// <see cref="StoreUnavailableException"/> while the storage does not answer.
/// </summary>
internal interface IShipments
{
    Task<Shipment?> FindAsync(string orderId, CancellationToken cancellationToken);

    /// <summary>Adds the shipment of an order that has none.</summary>
    Task AddAsync(Shipment shipment, CancellationToken cancellationToken);

    /// <summary>Every shipment that was added.</summary>
    Task<IReadOnlyList<Shipment>> AllAsync(CancellationToken cancellationToken);
}
