using Orders.Events;
using Orders.Saga;
using static Narad.Samples.Tests.Orders.OrderLog;

namespace Narad.Samples.Tests.Orders;

/// <summary>What the saga writes and sends, with the time in the test's hands.</summary>
public sealed class SagaHandlerTests
{
    [Fact]
    public async Task Each_step_is_asked_for_once_however_often_its_message_comes()
    {
        await using var harness = new SagaHarness();
        await harness.CreateAsync();
        var created = (OrderCreated)(await harness.Events.ReadAsync(Id, default))[0];

        await harness.Saga.HandleAsync(created, null!, default);
        await harness.Saga.HandleAsync(created, null!, default);
        (await harness.SentAsync()).Should().Equal("CHARGE_PAYMENT");

        for (var twice = 0; twice < 2; twice++)
        {
            await harness.TellSagaAsync(new PaymentCharged(Id, "payment-1", 5.5m));
        }

        (await harness.SentAsync()).Should().Equal("RESERVE_STOCK");
        (await harness.OrderAsync()).Should().BeEquivalentTo(new { Version = 2, State = OrderState.AwaitingStock });
        (await harness.Memory.Sagas.FindAsync(Id, default)).Should().Be(new SagaState(Id, OrderStep.Stock, harness.Time.GetUtcNow().AddSeconds(30)));
    }

    [Fact]
    public async Task A_step_without_an_answer_times_out_and_its_compensation_is_asked_for_until_it_is_done()
    {
        await using var harness = new SagaHarness();
        await harness.CreateAsync();
        await harness.Saga.HandleAsync((OrderCreated)(await harness.Events.ReadAsync(Id, default))[0], null!, default);
        (await harness.SentAsync()).Should().Equal("CHARGE_PAYMENT");

        harness.Time.Advance(TimeSpan.FromSeconds(29.9));
        (await DueAsync(harness)).Should().BeEmpty();
        harness.Time.Advance(TimeSpan.FromSeconds(0.1));
        var overdue = (await DueAsync(harness)).Should().ContainSingle().Subject;
        await harness.TellSagaAsync(overdue);
        await harness.TellSagaAsync(overdue);
        (await harness.OrderAsync()).Should().BeEquivalentTo(new { Version = 2, State = OrderState.Compensating });
        (await harness.SentAsync()).Should().Equal("REFUND_PAYMENT");

        await harness.TellSagaAsync(new PaymentCharged(Id, "payment-1", 5.5m));   // too late
        (await DueAsync(harness)).Should().BeEmpty();
        harness.Time.Advance(TimeSpan.FromSeconds(30));
        await harness.TellSagaAsync((await DueAsync(harness)).Should().ContainSingle().Subject);
        (await harness.SentAsync()).Should().Equal("REFUND_PAYMENT");

        await harness.TellSagaAsync(new PaymentReturned(Id, 5.5m));
        (await harness.OrderAsync()).Should().BeEquivalentTo(new { Version = 4, State = OrderState.Cancelled });
        harness.Time.Advance(TimeSpan.FromHours(1));
        (await DueAsync(harness)).Should().BeEmpty();
        (await harness.SentAsync()).Should().BeEmpty();
    }

    [Fact]
    public async Task A_cancellation_before_the_first_step_only_makes_sure_that_nothing_is_charged()
    {
        await using var harness = new SagaHarness();
        await harness.CreateAsync();
        await harness.Events.AppendAsync(Id, 1, [new CancellationRequested("No longer wanted.")], default);
        var log = await harness.Events.ReadAsync(Id, default);

        await harness.Saga.HandleAsync((OrderCreated)log[0], null!, default);
        await harness.Saga.HandleAsync((CancellationRequested)log[1], null!, default);

        (await harness.SentAsync()).Should().Equal("REFUND_PAYMENT");
    }

    private static async Task<IReadOnlyList<StepOverdue>> DueAsync(SagaHarness harness) =>
        [.. (await harness.Memory.Sagas.DueAsync(harness.Time.GetUtcNow(), 10, default))
            .Select(static saga => new StepOverdue(saga.OrderId, saga.Step, saga.Deadline!.Value))];
}
