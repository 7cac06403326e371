using Orders.Events;

namespace Orders.Participants.Stock;

/// <summary>The warehouse of this process, lost at its exit. Thread-safe.</summary>
internal sealed class InMemoryWarehouse : IWarehouse
{
    private readonly Lock _lock = new();

    // Under _lock.
    private readonly Dictionary<string, Reservation> _reservations = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int> _levels = new(StringComparer.Ordinal);

    public Task<Reservation?> FindAsync(string orderId, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            return Task.FromResult(_reservations.GetValueOrDefault(orderId));
        }
    }

    public Task<string?> TryReserveAsync(string orderId, IReadOnlyList<OrderItem> items, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            var quantities = StockLevels.Quantities(items);
            if (quantities.FirstOrDefault(item => Level_NeedsLock(item.Sku) < item.Quantity) is { Sku: { } missing })
            {
                return Task.FromResult<string?>(missing);
            }

            Change_NeedsLock(quantities, sign: -1);
            _reservations.Add(orderId, new Reservation(orderId, ReservationState.Reserved, items, Reason: null));
            return Task.FromResult<string?>(null);
        }
    }

    public Task AddAsync(Reservation reservation, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            _reservations.Add(reservation.OrderId, reservation);
        }

        return Task.CompletedTask;
    }

    public Task ReleaseAsync(Reservation reservation, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            Change_NeedsLock(StockLevels.Quantities(reservation.Items), sign: 1);
            _reservations[reservation.OrderId] = reservation with { State = ReservationState.Released };
        }

        return Task.CompletedTask;
    }

    public Task<IReadOnlyDictionary<string, int>> LevelsAsync(CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            return Task.FromResult<IReadOnlyDictionary<string, int>>(new Dictionary<string, int>(_levels, StringComparer.Ordinal));
        }
    }

    private int Level_NeedsLock(string sku) => _levels.GetValueOrDefault(sku, StockLevels.Initial);

    private void Change_NeedsLock(IReadOnlyList<(string Sku, int Quantity)> quantities, int sign)
    {
        foreach (var (sku, quantity) in quantities)
        {
            _levels[sku] = Level_NeedsLock(sku) + (sign * quantity);
        }
    }
}
