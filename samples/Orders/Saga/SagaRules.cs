using Orders.Events;

namespace Orders.Saga;

/// <summary>What the saga decides. Pure functions of the order, the saga's state and a reply.</summary>
internal static class SagaRules
{
    /// <summary>Decides what a reply means for the order.</summary>
    /// <param name="order">The order, as its log says.</param>
    /// <param name="saga">What the saga waits for; null before its first step.</param>
    /// <param name="reply">The reply; null: the order itself has changed.</param>
    public static SagaDecision Decide(Order order, SagaState? saga, OrderReply? reply)
    {
        var isOverdue = reply is StepOverdue overdue && saga is not null && saga.Step == overdue.Step && saga.Deadline == overdue.Deadline;
        var events = new List<OrderEvent>();
        if (EventOf(order, reply, isOverdue) is { } happened)
        {
            order = Append(order, events, happened);
        }

        if (order is { State: OrderState.Compensating, NextStep: OrderStep.None })
        {
            order = Append(order, events, new OrderCancelled(order.Reason!));
        }

        // A step to undo something that takes too long is asked for again, until it is done.
        return new SagaDecision(events, order, HasNewStep: order.NextStep != (saga?.Step ?? OrderStep.None) || (isOverdue && events.Count == 0));
    }

    /// <summary>The command of the step that the order waits for.</summary>
    public static object? CommandOf(Order order) => order.NextStep switch
    {
        OrderStep.Payment => new ChargePayment(order.OrderId, order.CustomerId, order.Total),
        OrderStep.Stock => new ReserveStock(order.OrderId, order.Items),
        OrderStep.Shipping => new ShipOrder(order.OrderId, order.DeliveryAddress),
        OrderStep.CancelShipping => new CancelShipment(order.OrderId),
        OrderStep.ReleaseStock => new ReleaseStock(order.OrderId),
        OrderStep.RefundPayment => new RefundPayment(order.OrderId),
        _ => null,
    };

    // Null where the reply comes twice, late, or after the end: the order does not wait for it.
    private static OrderEvent? EventOf(Order order, OrderReply? reply, bool isOverdue) => (reply, order.NextStep) switch
    {
        (PaymentCharged charged, OrderStep.Payment) => new PaymentCompleted(charged.PaymentId, charged.Amount),
        (PaymentRefused refused, OrderStep.Payment) => new PaymentFailed(refused.Reason),
        (StockTaken, OrderStep.Stock) => new StockReserved(),
        (StockRefused refused, OrderStep.Stock) => new StockRejected(refused.Reason),
        (ParcelShipped shipped, OrderStep.Shipping or OrderStep.CancelShipping) => new Shipped(shipped.TrackingNumber),
        (ParcelRefused refused, OrderStep.Shipping or OrderStep.CancelShipping) => new ShippingFailed(refused.Reason),
        (StockReturned, OrderStep.ReleaseStock) => new StockReleased(),
        (PaymentReturned returned, OrderStep.RefundPayment) => new PaymentRefunded(returned.Amount),
        (StepOverdue, OrderStep.Payment or OrderStep.Stock or OrderStep.Shipping) when isOverdue => new StepTimedOut(order.NextStep),
        _ => null,
    };

    private static Order Append(Order order, List<OrderEvent> events, OrderEvent happened)
    {
        events.Add(happened);
        return Order.Apply(order, happened with { OrderId = order.OrderId, Version = order.Version + 1, Timestamp = order.UpdatedAt });
    }
}

/// <summary>What the saga does.</summary>
/// <param name="Events">What is appended to the log.</param>
/// <param name="Order">The order after these events.</param>
/// <param name="HasNewStep">Whether the order's next step is asked for now.</param>
internal sealed record SagaDecision(IReadOnlyList<OrderEvent> Events, Order Order, bool HasNewStep);
