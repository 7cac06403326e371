namespace Orders.Participants.Payment;

/// <summary>The payments of this process, lost at its exit. Thread-safe.</summary>
internal sealed class InMemoryPayments : IPayments
{
    private readonly Lock _lock = new();

    // Under _lock.
    private readonly Dictionary<string, OrderPayment> _payments = new(StringComparer.Ordinal);
    private readonly List<Booking> _bookings = [];

    public Task<OrderPayment?> FindAsync(string orderId, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            return Task.FromResult(_payments.GetValueOrDefault(orderId));
        }
    }

    public Task SaveAsync(OrderPayment payment, decimal booked, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            _payments[payment.OrderId] = payment;
            if (booked != 0)
            {
                _bookings.Add(new Booking(payment.OrderId, booked));
            }
        }

        return Task.CompletedTask;
    }

    public Task<IReadOnlyList<Booking>> BookingsAsync(CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            return Task.FromResult<IReadOnlyList<Booking>>([.. _bookings]);
        }
    }
}
