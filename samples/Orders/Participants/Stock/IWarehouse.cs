using Narad.Kafka;
using Orders.Events;

namespace Orders.Participants.Stock;

/// <summary>What was decided about an order's stock.</summary>
/// <param name="OrderId">The order.</param>
/// <param name="State">How far it is.</param>
/// <param name="Items">What was reserved; nothing where it was refused or called off.</param>
/// <param name="Reason">Why nothing was reserved; null where something was.</param>
internal sealed record Reservation(string OrderId, ReservationState State, IReadOnlyList<OrderItem> Items, string? Reason);

internal enum ReservationState
{
    Reserved,
    Refused,

    /// <summary>Put back, or called off before it was reserved: nothing is reserved any more.</summary>
    Released,
}

/// <summary>
/// Reservations, and what is in stock of each article. In the handler of a message it joins the transaction of that message. Thread-safe. Every member fails
/// with <see cref="StoreUnavailableException"/> while the storage does not answer.
/// </summary>
internal interface IWarehouse
{
    Task<Reservation?> FindAsync(string orderId, CancellationToken cancellationToken);

    /// <summary>Takes the items of an order from the stock, all or none of them, and notes the reservation.</summary>
    /// <returns>The article of which there is too little; null where they are reserved.</returns>
    Task<string?> TryReserveAsync(string orderId, IReadOnlyList<OrderItem> items, CancellationToken cancellationToken);

    /// <summary>Notes a reservation that took nothing from the stock.</summary>
    Task AddAsync(Reservation reservation, CancellationToken cancellationToken);

    /// <summary>Puts back what was reserved.</summary>
    Task ReleaseAsync(Reservation reservation, CancellationToken cancellationToken);

    /// <summary>How much is in stock of each article that was ever ordered.</summary>
    Task<IReadOnlyDictionary<string, int>> LevelsAsync(CancellationToken cancellationToken);
}

/// <summary>How much there is of each article before the first order.</summary>
internal static class StockLevels
{
    public const int Initial = 100_000;

    /// <summary>How much of each article an order takes, in the order of articles, so that two orders do not wait for each other.</summary>
    public static IReadOnlyList<(string Sku, int Quantity)> Quantities(IReadOnlyList<OrderItem> items) =>
        [.. items.GroupBy(static item => item.Sku, StringComparer.Ordinal)
            .Select(static group => (group.Key, group.Sum(static item => item.Quantity)))
            .OrderBy(static item => item.Key, StringComparer.Ordinal)];
}
