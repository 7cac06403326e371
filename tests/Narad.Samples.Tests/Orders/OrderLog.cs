using Orders.Events;

namespace Narad.Samples.Tests.Orders;

/// <summary>Orders made of events, for tests.</summary>
internal static class OrderLog
{
    public const string Id = "order-1";

    public static readonly OrderCreated Created = new("customer-1", [new OrderItem("apple", 2, 1.25m), new OrderItem("pear", 1, 3m)], 5.5m, "Street 1");

    public static readonly PaymentCompleted Paid = new("payment-1", 5.5m);

    public static readonly StockReserved Reserved = new();

    public static readonly Shipped Left = new("T-1");

    /// <summary>The order after its creation and these events.</summary>
    public static Order After(params OrderEvent[] events) => Order.Fold(Numbered([Created, .. events]))!;

    public static IReadOnlyList<OrderEvent> Numbered(IReadOnlyList<OrderEvent> events) =>
        [.. events.Select(static (one, index) => one with { OrderId = Id, Version = index + 1, Timestamp = DateTimeOffset.UnixEpoch.AddSeconds(index) })];
}
