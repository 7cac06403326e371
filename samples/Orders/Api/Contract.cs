using System.ComponentModel.DataAnnotations;
using Orders.Events;
using Orders.Participants;
using Orders.ReadModel;

namespace Orders.Api;

/// <summary>The body of <c>POST /orders</c>.</summary>
public sealed record NewOrder(
    [property: Required, StringLength(100)] string? CustomerId,
    [property: Required, MinLength(1), MaxLength(20)] IReadOnlyList<NewItem>? Items,
    [property: Required, StringLength(200)] string? DeliveryAddress);

/// <summary>What is ordered.</summary>
public sealed record NewItem([property: Required] string? Sku, [property: Required, Range(1, 100)] int? Quantity);

/// <summary>The body of <c>PATCH /orders/{id}</c>.</summary>
public sealed record Changes([property: Required, StringLength(200)] string? DeliveryAddress);

/// <summary>The body of <c>POST /orders/{id}/cancel</c>.</summary>
public sealed record Cancellation([property: StringLength(200)] string? Reason);

/// <summary>An order with its history.</summary>
internal sealed record OrderHistory(Order Order, IReadOnlyList<OrderEvent> Events);

/// <summary>What happened, and the order after it.</summary>
internal sealed record OrderChange(Order Order, OrderEvent Event);

/// <summary>The answer of <c>GET /orders</c>.</summary>
/// <param name="Items">The orders, the newest first.</param>
/// <param name="Counts">How many there are in each state.</param>
/// <param name="Next"><c>before</c> of the next page; null at the end.</param>
internal sealed record OrderList(IReadOnlyList<Order> Items, IReadOnlyDictionary<OrderState, long> Counts, string? Next)
{
    public static OrderList From(OrderPage page, int limit) =>
        new(page.Items, Enum.GetValues<OrderState>().ToDictionary(static state => state, state => page.Counts.GetValueOrDefault(state)),
            page.Items.Count == limit ? page.Items[^1].OrderId : null);
}

/// <summary>How a participant misbehaves.</summary>
/// <param name="FailureRate">How many of its handlers throw: 0 to 1.</param>
/// <param name="RejectRate">How many orders it refuses: 0 to 1.</param>
/// <param name="DelaySeconds">How long each answer takes: 0 to 10.</param>
public sealed record Behaviour(
    [property: Range(0.0, 1.0)] double FailureRate, [property: Range(0.0, 1.0)] double RejectRate, [property: Range(0.0, 10.0)] double DelaySeconds)
{
    public static Behaviour From(ParticipantBehaviour behaviour) => new(behaviour.FailureRate, behaviour.RejectRate, behaviour.Delay.TotalSeconds);

    public ParticipantBehaviour Of(string participant) => new()
    {
        Participant = participant, FailureRate = FailureRate, RejectRate = RejectRate, Delay = TimeSpan.FromSeconds(DelaySeconds),
    };
}
