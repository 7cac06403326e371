using Orders.Events;
using Orders.Saga;
using static Narad.Samples.Tests.Orders.OrderLog;

namespace Narad.Samples.Tests.Orders;

/// <summary>The fold of an order's events, and what the saga decides upon them.</summary>
public sealed class SagaRulesTests
{
    private static readonly PaymentCharged Charged = new(Id, "payment-1", 5.5m);
    private static readonly ParcelShipped ParcelLeft = new(Id, "T-1");
    private static readonly CancellationRequested Cancellation = new("No longer wanted.");

    private static readonly OrderReply[] AllReplies =
    [
        Charged, new PaymentRefused(Id, "no"), new PaymentReturned(Id, 5.5m), new StockTaken(Id), new StockRefused(Id, "no"), new StockReturned(Id), ParcelLeft,
        new ParcelRefused(Id, "no"),
    ];

    [Fact]
    public void An_order_that_nothing_disturbs_is_paid_reserved_and_shipped()
    {
        var order = Fold();
        order.State.Should().Be(OrderState.AwaitingPayment);
        order = Next(order, Charged, OrderState.AwaitingStock, OrderStep.Stock);
        order.Paid.Should().Be(5.5m);
        order = Next(order, new StockTaken(Id), OrderState.AwaitingShipping, OrderStep.Shipping);
        order = Next(order, ParcelLeft, OrderState.Shipped, OrderStep.None);
        order.Should().BeEquivalentTo(new { TrackingNumber = "T-1", Reason = (string?)null, HasEnded = true, Version = 4 });
    }

    [Fact]
    public void A_refused_payment_cancels_the_order_at_once()
    {
        var decision = Decide(After(), new PaymentRefused(Id, "no money"));

        Types(decision).Should().Equal("PaymentFailed", "OrderCancelled");
        decision.Order.Should().BeEquivalentTo(new { State = OrderState.Cancelled, Reason = "no money", Paid = 0m });
    }

    [Fact]
    public void Refused_stock_pays_the_money_back()
    {
        var order = Next(After(Paid), new StockRefused(Id, "none left"), OrderState.Compensating, OrderStep.RefundPayment);
        order = Next(order, new PaymentReturned(Id, 5.5m), OrderState.Cancelled, OrderStep.None);
        order.Should().BeEquivalentTo(new { Reason = "none left", Paid = 0m, Payment = PartState.Undone, Stock = PartState.Failed });
    }

    [Fact]
    public void A_refused_parcel_releases_the_stock_and_pays_the_money_back()
    {
        var order = Next(After(Paid, Reserved), new ParcelRefused(Id, "no such street"), OrderState.Compensating, OrderStep.ReleaseStock);
        order = Next(order, new StockReturned(Id), OrderState.Compensating, OrderStep.RefundPayment);
        Next(order, new PaymentReturned(Id, 5.5m), OrderState.Cancelled, OrderStep.None).Reason.Should().Be("no such street");
    }

    [Fact]
    public void A_cancellation_undoes_what_may_have_been_done_the_last_step_first()
    {
        Steps(After(Cancellation)).Should().Equal(OrderStep.RefundPayment);
        Steps(After(Paid, Cancellation)).Should().Equal(OrderStep.ReleaseStock, OrderStep.RefundPayment);
        Steps(After(Paid, Reserved, Cancellation)).Should().Equal(OrderStep.CancelShipping, OrderStep.ReleaseStock, OrderStep.RefundPayment);
        After(Paid, Cancellation).CanBeCancelled.Should().BeFalse();
        After(Paid, Reserved, Left).CanBeCancelled.Should().BeFalse();

        static IReadOnlyList<OrderStep> Steps(Order order)
        {
            var steps = new List<OrderStep>();
            while (order.NextStep is not OrderStep.None and var step)
            {
                steps.Add(step);
                order = Decide(order, step switch
                {
                    OrderStep.CancelShipping => new ParcelRefused(Id, "called off"),
                    OrderStep.ReleaseStock => new StockReturned(Id),
                    _ => new PaymentReturned(Id, 0),
                }).Order;
            }

            order.Should().BeEquivalentTo(new { State = OrderState.Cancelled, Reason = "No longer wanted." });
            return steps;
        }
    }

    [Fact]
    public void A_parcel_that_left_before_it_was_called_off_is_shipped_and_nothing_is_undone()
    {
        var order = Next(After(Paid, Reserved, Cancellation), ParcelLeft, OrderState.Shipped, OrderStep.None);
        order.Should().BeEquivalentTo(new { Paid = 5.5m, Stock = PartState.Done, Reason = (string?)null });
    }

    [Fact]
    public void Replies_that_come_twice_late_or_after_the_end_change_nothing()
    {
        Ignored(After(Paid), Charged, new PaymentRefused(Id, "no"), ParcelLeft, new StockReturned(Id), new PaymentReturned(Id, 0));
        Ignored(After(Paid, Reserved), Charged, new StockTaken(Id), new StockRefused(Id, "no"));
        Ignored(After(Cancellation), Charged, new PaymentRefused(Id, "no"), new StockTaken(Id), ParcelLeft);
        Ignored(After(Paid, Cancellation), Charged, new StockTaken(Id), new StockRefused(Id, "no"), new PaymentReturned(Id, 5.5m));
        Ignored(After(Paid, Reserved, Left), AllReplies);
        Ignored(After(new PaymentFailed("no"), new OrderCancelled("no")), AllReplies);

        static void Ignored(Order order, params OrderReply[] replies)
        {
            foreach (var reply in replies)
            {
                var decision = Decide(order, reply);
                decision.Events.Should().BeEmpty("{0} means nothing to an order that waits for {1}", reply, order.NextStep);
                decision.HasNewStep.Should().BeFalse("{0} asks for nothing", reply);
                decision.Order.Should().Be(order);
            }
        }
    }

    [Fact]
    public void A_step_that_takes_too_long_cancels_the_order_and_one_that_undoes_is_asked_for_again()
    {
        var deadline = DateTimeOffset.UnixEpoch.AddMinutes(1);
        foreach (var order in (Order[])[After(), After(Paid), After(Paid, Reserved)])
        {
            var timedOut = SagaRules.Decide(order, new SagaState(Id, order.NextStep, deadline), new StepOverdue(Id, order.NextStep, deadline));
            timedOut.Events.Should().ContainSingle().Which.Should().BeOfType<StepTimedOut>().Which.Step.Should().Be(order.NextStep);
            timedOut.Order.State.Should().Be(OrderState.Compensating);
            timedOut.HasNewStep.Should().BeTrue();
        }

        var undone = After(Paid, Cancellation);
        var again = SagaRules.Decide(undone, new SagaState(Id, OrderStep.ReleaseStock, deadline), new StepOverdue(Id, OrderStep.ReleaseStock, deadline));
        again.Events.Should().BeEmpty();
        again.HasNewStep.Should().BeTrue();

        // A reminder of a step that was answered, or that was asked for again, is void.
        var paid = SagaRules.Decide(After(Paid), new SagaState(Id, OrderStep.Stock, deadline), new StepOverdue(Id, OrderStep.Payment, deadline));
        var earlier = SagaRules.Decide(
            undone, new SagaState(Id, OrderStep.ReleaseStock, deadline.AddMinutes(1)), new StepOverdue(Id, OrderStep.ReleaseStock, deadline));
        foreach (var decision in (SagaDecision[])[paid, earlier])
        {
            decision.Events.Should().BeEmpty();
            decision.HasNewStep.Should().BeFalse();
        }
    }

    [Fact]
    public void An_event_that_does_not_follow_is_refused()
    {
        var order = After(Paid);
        FluentActions.Invoking(() => Order.Apply(order, Reserved with { OrderId = Id, Version = 2 })).Should().Throw<InvalidOperationException>();
        FluentActions.Invoking(() => Order.Apply(null, Reserved with { OrderId = Id, Version = 1 })).Should().Throw<InvalidOperationException>();
        Order.Fold([]).Should().BeNull();
    }

    private static Order Fold() => Order.Fold(Numbered([Created]))!;

    private static SagaDecision Decide(Order order, OrderReply reply) => SagaRules.Decide(order, new SagaState(Id, order.NextStep, Deadline: null), reply);

    private static Order Next(Order order, OrderReply reply, OrderState state, OrderStep step)
    {
        var decision = Decide(order, reply);
        decision.HasNewStep.Should().BeTrue();
        decision.Order.State.Should().Be(state);
        decision.Order.NextStep.Should().Be(step);
        return decision.Order;
    }

    private static IEnumerable<string> Types(SagaDecision decision) => decision.Events.Select(static one => one.GetType().Name);
}
