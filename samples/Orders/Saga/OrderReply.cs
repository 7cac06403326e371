using System.Text.Json.Serialization;
using Orders.Events;

namespace Orders.Saga;

/// <summary>
/// What a participant tells the saga, in the topic <c>orders.replies</c>. A reply may come twice, late, or after the order has ended: the saga decides what it
/// means, and only what it appends to the log has happened to the order.
/// </summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "type")]
[JsonDerivedType(typeof(PaymentCharged), "PAYMENT_CHARGED")]
[JsonDerivedType(typeof(PaymentRefused), "PAYMENT_REFUSED")]
[JsonDerivedType(typeof(PaymentReturned), "PAYMENT_RETURNED")]
[JsonDerivedType(typeof(StockTaken), "STOCK_TAKEN")]
[JsonDerivedType(typeof(StockRefused), "STOCK_REFUSED")]
[JsonDerivedType(typeof(StockReturned), "STOCK_RETURNED")]
[JsonDerivedType(typeof(ParcelShipped), "PARCEL_SHIPPED")]
[JsonDerivedType(typeof(ParcelRefused), "PARCEL_REFUSED")]
[JsonDerivedType(typeof(StepOverdue), "STEP_OVERDUE")]
public abstract record OrderReply(string OrderId);

public sealed record PaymentCharged(string OrderId, string PaymentId, decimal Amount) : OrderReply(OrderId);

public sealed record PaymentRefused(string OrderId, string Reason) : OrderReply(OrderId);

/// <summary>What was charged is paid back; the amount is 0 where nothing was.</summary>
public sealed record PaymentReturned(string OrderId, decimal Amount) : OrderReply(OrderId);

public sealed record StockTaken(string OrderId) : OrderReply(OrderId);

public sealed record StockRefused(string OrderId, string Reason) : OrderReply(OrderId);

public sealed record StockReturned(string OrderId) : OrderReply(OrderId);

public sealed record ParcelShipped(string OrderId, string TrackingNumber) : OrderReply(OrderId);

/// <summary>The parcel was not shipped, and will not be.</summary>
public sealed record ParcelRefused(string OrderId, string Reason) : OrderReply(OrderId);

/// <summary>The saga's own reminder: the deadline of a step has passed. It is void unless the order still waits for this step, with this deadline.</summary>
public sealed record StepOverdue(string OrderId, OrderStep Step, DateTimeOffset Deadline) : OrderReply(OrderId);
