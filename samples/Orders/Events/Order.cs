namespace Orders.Events;

/// <summary>An order: what its events say. Saga, API and read model all use this fold. Immutable.</summary>
public sealed record Order
{
    public required string OrderId { get; init; }

    public required string CustomerId { get; init; }

    public required IReadOnlyList<OrderItem> Items { get; init; }

    public required decimal Total { get; init; }

    public required string DeliveryAddress { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    public DateTimeOffset UpdatedAt { get; init; }

    /// <summary>The version of the last event.</summary>
    public int Version { get; init; }

    public OrderState State { get; init; }

    public PartState Payment { get; init; }

    public PartState Stock { get; init; }

    public PartState Shipping { get; init; }

    public string? PaymentId { get; init; }

    /// <summary>What the customer has paid, refunds subtracted.</summary>
    public decimal Paid { get; init; }

    public string? TrackingNumber { get; init; }

    /// <summary>Why it is, or is being, cancelled; null where it is not.</summary>
    public string? Reason { get; init; }

    public bool HasEnded => State is OrderState.Shipped or OrderState.Cancelled;

    /// <summary>Whether the delivery address may change: not once the parcel is on its way to be shipped.</summary>
    public bool CanBeUpdated => State is OrderState.AwaitingPayment or OrderState.AwaitingStock;

    /// <summary>Whether a customer may still ask for the cancellation. It comes to nothing where the parcel leaves at the same moment.</summary>
    public bool CanBeCancelled => State is OrderState.AwaitingPayment or OrderState.AwaitingStock or OrderState.AwaitingShipping;

    /// <summary>
    /// What a participant has to do now. To undo is needed also where it is not known whether the part was done: the participant then remembers that it must
    /// not do it any more.
    /// </summary>
    public OrderStep NextStep => State switch
    {
        OrderState.AwaitingPayment => OrderStep.Payment,
        OrderState.AwaitingStock => OrderStep.Stock,
        OrderState.AwaitingShipping => OrderStep.Shipping,
        OrderState.Compensating when Shipping is PartState.Asked => OrderStep.CancelShipping,
        OrderState.Compensating when Stock is PartState.Asked or PartState.Done => OrderStep.ReleaseStock,
        OrderState.Compensating when Payment is PartState.Asked or PartState.Done => OrderStep.RefundPayment,
        _ => OrderStep.None,
    };

    /// <summary>The order that the events of a log say; null where there are none.</summary>
    public static Order? Fold(IEnumerable<OrderEvent> events) => events.Aggregate((Order?)null, Apply);

    /// <summary>The order after its next event. An event is a fact: whether it may happen was decided before it was appended.</summary>
    /// <param name="order">The order before; null before its first event.</param>
    /// <param name="next">The event.</param>
    /// <exception cref="InvalidOperationException">The event is not the next one of the log.</exception>
    public static Order Apply(Order? order, OrderEvent next)
    {
        if (next.Version != (order?.Version ?? 0) + 1 || (order is null) != (next is OrderCreated))
        {
            throw new InvalidOperationException($"Event {next.Version} of order '{next.OrderId}' does not follow event {order?.Version ?? 0}.");
        }

        var changed = next is OrderCreated created ? Create(created) : order!.With(next);
        return changed with { Version = next.Version, UpdatedAt = next.Timestamp };
    }

    private static Order Create(OrderCreated created) => new()
    {
        OrderId = created.OrderId,
        CustomerId = created.CustomerId,
        Items = created.Items,
        Total = created.Total,
        DeliveryAddress = created.DeliveryAddress,
        CreatedAt = created.Timestamp,
        State = OrderState.AwaitingPayment,
        Payment = PartState.Asked,
    };

    private Order With(OrderEvent next) => next switch
    {
        OrderUpdated updated => this with { DeliveryAddress = updated.Changes.DeliveryAddress ?? DeliveryAddress },
        PaymentCompleted paid => this with
        {
            State = OrderState.AwaitingStock, Payment = PartState.Done, Stock = PartState.Asked, PaymentId = paid.PaymentId, Paid = paid.Amount,
        },
        PaymentFailed failed => Compensate(failed.Reason) with { Payment = PartState.Failed },
        StockReserved => this with { State = OrderState.AwaitingShipping, Stock = PartState.Done, Shipping = PartState.Asked },
        StockRejected rejected => Compensate(rejected.Reason) with { Stock = PartState.Failed },
        Shipped shipped => this with
        {
            State = OrderState.Shipped, Shipping = PartState.Done, TrackingNumber = shipped.TrackingNumber, Reason = null,
        },
        ShippingFailed failed => Compensate(failed.Reason) with { Shipping = PartState.Failed },
        CancellationRequested requested => Compensate(requested.Reason),
        StepTimedOut timedOut => Compensate($"The step {timedOut.Step} took too long."),
        StockReleased => this with { Stock = PartState.Undone },
        PaymentRefunded => this with { Payment = PartState.Undone, Paid = 0 },
        OrderCancelled => this with { State = OrderState.Cancelled },
        _ => throw new InvalidOperationException($"There is no rule for the event {next.GetType().Name}."),
    };

    // The first reason is the one that counts.
    private Order Compensate(string reason) => this with { State = OrderState.Compensating, Reason = Reason ?? reason };
}
