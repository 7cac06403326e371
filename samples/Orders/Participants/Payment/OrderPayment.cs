using Narad.Kafka;

namespace Orders.Participants.Payment;

/// <summary>What was decided about an order's payment.</summary>
/// <param name="OrderId">The order.</param>
/// <param name="State">How far it is.</param>
/// <param name="PaymentId">The payment.</param>
/// <param name="Amount">What was charged; 0 where nothing was.</param>
/// <param name="Reason">Why nothing was charged; null where something was.</param>
internal sealed record OrderPayment(string OrderId, PaymentState State, string PaymentId, decimal Amount, string? Reason);

internal enum PaymentState
{
    Charged,
    Refused,

    /// <summary>Paid back, or called off before it was charged: it is not charged any more.</summary>
    Refunded,
}

/// <summary>A movement of money. Nothing ever changes or deletes one.</summary>
/// <param name="OrderId">The order.</param>
/// <param name="Amount">Above 0: charged; below 0: paid back.</param>
internal sealed record Booking(string OrderId, decimal Amount);

/// <summary>
/// Payments and bookings. In the handler of a message it joins the transaction of that message. Thread-safe. Every member fails with
/// <see cref="StoreUnavailableException"/> while the storage does not answer.
/// </summary>
internal interface IPayments
{
    Task<OrderPayment?> FindAsync(string orderId, CancellationToken cancellationToken);

    /// <summary>Saves a payment, and books what moved.</summary>
    Task SaveAsync(OrderPayment payment, decimal booked, CancellationToken cancellationToken);

    /// <summary>All bookings.</summary>
    Task<IReadOnlyList<Booking>> BookingsAsync(CancellationToken cancellationToken);
}
