using System.Text.Json.Serialization;

namespace Orders.Events;

/// <summary>
/// What happened to an order. The events of an order are its log: its state is <see cref="Order.Fold"/> of them. In the topic <c>orders.events</c> they are
/// JSON with the property <c>type</c>, keyed by the order's id.
/// </summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "type")]
[JsonDerivedType(typeof(OrderCreated), OrderCreated.Type)]
[JsonDerivedType(typeof(OrderUpdated), "ORDER_UPDATED")]
[JsonDerivedType(typeof(PaymentCompleted), "PAYMENT_COMPLETED")]
[JsonDerivedType(typeof(PaymentFailed), "PAYMENT_FAILED")]
[JsonDerivedType(typeof(StockReserved), "STOCK_RESERVED")]
[JsonDerivedType(typeof(StockRejected), "STOCK_REJECTED")]
[JsonDerivedType(typeof(Shipped), "SHIPPED")]
[JsonDerivedType(typeof(ShippingFailed), "SHIPPING_FAILED")]
[JsonDerivedType(typeof(CancellationRequested), CancellationRequested.Type)]
[JsonDerivedType(typeof(StepTimedOut), "STEP_TIMED_OUT")]
[JsonDerivedType(typeof(StockReleased), "STOCK_RELEASED")]
[JsonDerivedType(typeof(PaymentRefunded), "PAYMENT_REFUNDED")]
[JsonDerivedType(typeof(OrderCancelled), "ORDER_CANCELLED")]
public abstract record OrderEvent
{
    /// <summary>Set by the event store, as are <see cref="Version"/> and <see cref="Timestamp"/>.</summary>
    [JsonPropertyOrder(-3)]
    public string OrderId { get; init; } = "";

    /// <summary>The place in the order's log: 1, 2, …</summary>
    [JsonPropertyOrder(-2)]
    public int Version { get; init; }

    /// <summary>When it was appended.</summary>
    [JsonPropertyOrder(-1)]
    public DateTimeOffset Timestamp { get; init; }
}

public sealed record OrderCreated(string CustomerId, IReadOnlyList<OrderItem> Items, decimal Total, string DeliveryAddress) : OrderEvent
{
    public const string Type = "ORDER_CREATED";
}

/// <summary>What is ordered.</summary>
/// <param name="Sku">The article.</param>
/// <param name="Quantity">How many.</param>
/// <param name="Price">What one of them costs.</param>
public sealed record OrderItem(string Sku, int Quantity, decimal Price);

public sealed record OrderUpdated(OrderChanges Changes) : OrderEvent;

/// <summary>What changed; null: not changed.</summary>
public sealed record OrderChanges(string? DeliveryAddress);

public sealed record PaymentCompleted(string PaymentId, decimal Amount) : OrderEvent;

public sealed record PaymentFailed(string Reason) : OrderEvent;

public sealed record StockReserved : OrderEvent;

public sealed record StockRejected(string Reason) : OrderEvent;

public sealed record Shipped(string TrackingNumber) : OrderEvent;

/// <summary>The order was not shipped and will not be: the parcel was refused, or the shipment was called off in time.</summary>
public sealed record ShippingFailed(string Reason) : OrderEvent;

public sealed record CancellationRequested(string Reason) : OrderEvent
{
    public const string Type = "CANCELLATION_REQUESTED";
}

/// <summary>A participant did not answer in time.</summary>
public sealed record StepTimedOut(OrderStep Step) : OrderEvent;

public sealed record StockReleased : OrderEvent;

/// <summary>What was charged is paid back; the amount is 0 where nothing was.</summary>
public sealed record PaymentRefunded(decimal Amount) : OrderEvent;

public sealed record OrderCancelled(string Reason) : OrderEvent;
