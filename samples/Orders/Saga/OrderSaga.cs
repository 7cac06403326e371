using Microsoft.Extensions.Options;
using Narad.Kafka;
using Orders.Events;
using Orders.Storage;

namespace Orders.Saga;

/// <summary>
/// Leads each order to its end. Everything it writes is one transaction with the inbox: events, saga state and command are there together, or not at all.
/// It acts on the order as the log says it is now, not on the message: a message that comes again finds nothing to do. That alone is enough in memory, where
/// there are no transactions.
/// </summary>
internal sealed class OrderSaga(
    IOrderEventStore events, ISagaStore sagas, IOutbox outbox, IOptions<SagaOptions> options, TimeProvider time, ILogger<OrderSaga> logger)
    : IMessageHandler<OrderCreated>, IMessageHandler<CancellationRequested>, IMessageHandler<OrderReply>
{
    public Task HandleAsync(OrderCreated message, MessageContext context, CancellationToken cancellationToken) =>
        ContinueAsync(message.OrderId, reply: null, cancellationToken);

    public Task HandleAsync(CancellationRequested message, MessageContext context, CancellationToken cancellationToken) =>
        ContinueAsync(message.OrderId, reply: null, cancellationToken);

    public Task HandleAsync(OrderReply message, MessageContext context, CancellationToken cancellationToken) =>
        ContinueAsync(message.OrderId, message, cancellationToken);

    private async Task ContinueAsync(string orderId, OrderReply? reply, CancellationToken cancellationToken)
    {
        var order = Order.Fold(await events.ReadAsync(orderId, cancellationToken)) ?? throw new DeadLetterException($"There is no order '{orderId}'.");
        var saga = await sagas.FindAsync(orderId, cancellationToken);
        var decision = SagaRules.Decide(order, saga, reply);
        if (decision.Events.Count > 0)
        {
            await events.AppendAsync(orderId, order.Version, decision.Events, cancellationToken);
        }

        if (decision.HasNewStep)
        {
            await AskAsync(decision.Order, cancellationToken);
        }

        logger.LogDebug("Order {OrderId}: {Reply} at {Version}, now {State}", orderId, reply?.GetType().Name, order.Version, decision.Order.State);
    }

    private async Task AskAsync(Order order, CancellationToken cancellationToken)
    {
        DateTimeOffset? deadline = null;
        if (SagaRules.CommandOf(order) is { } command)
        {
            await outbox.EnqueueAsync(command, cancellationToken: cancellationToken);
            deadline = DateTimeOffset.FromUnixTimeMilliseconds((time.GetUtcNow() + options.Value.StepTimeout).ToUnixTimeMilliseconds());
        }

        await sagas.SaveAsync(new SagaState(order.OrderId, order.NextStep, deadline), cancellationToken);
    }
}
