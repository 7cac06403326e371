using System.Text.Json.Serialization;
using Orders.Events;

namespace Orders.Saga;

/// <summary>What the saga asks the payment service for.</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "type")]
[JsonDerivedType(typeof(ChargePayment), ChargePayment.Type)]
[JsonDerivedType(typeof(RefundPayment), RefundPayment.Type)]
public abstract record PaymentCommand(string OrderId);

public sealed record ChargePayment(string OrderId, string CustomerId, decimal Amount) : PaymentCommand(OrderId)
{
    public const string Type = "CHARGE_PAYMENT";
}

/// <summary>Pays back what was charged. An order that was not charged must not be charged any more.</summary>
public sealed record RefundPayment(string OrderId) : PaymentCommand(OrderId)
{
    public const string Type = "REFUND_PAYMENT";
}

/// <summary>What the saga asks the warehouse for.</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "type")]
[JsonDerivedType(typeof(ReserveStock), ReserveStock.Type)]
[JsonDerivedType(typeof(ReleaseStock), ReleaseStock.Type)]
public abstract record StockCommand(string OrderId);

public sealed record ReserveStock(string OrderId, IReadOnlyList<OrderItem> Items) : StockCommand(OrderId)
{
    public const string Type = "RESERVE_STOCK";
}

/// <summary>Puts back what was reserved. Nothing must be reserved for the order any more.</summary>
public sealed record ReleaseStock(string OrderId) : StockCommand(OrderId)
{
    public const string Type = "RELEASE_STOCK";
}

/// <summary>What the saga asks the shipping service for.</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "type")]
[JsonDerivedType(typeof(ShipOrder), ShipOrder.Type)]
[JsonDerivedType(typeof(CancelShipment), CancelShipment.Type)]
public abstract record ShippingCommand(string OrderId);

public sealed record ShipOrder(string OrderId, string DeliveryAddress) : ShippingCommand(OrderId)
{
    public const string Type = "SHIP_ORDER";
}

/// <summary>Calls the shipment off. Where the parcel has left, the answer says so: a parcel cannot be undone.</summary>
public sealed record CancelShipment(string OrderId) : ShippingCommand(OrderId)
{
    public const string Type = "CANCEL_SHIPMENT";
}
