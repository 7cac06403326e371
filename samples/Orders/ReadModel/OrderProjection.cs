using Narad.Kafka;
using Orders.Events;
using Orders.Storage;

namespace Orders.ReadModel;

/// <summary>
/// Group <c>order-projection</c>: applies what happened to the read model. An event that comes again changes nothing, so that at least once is enough.
/// Thread-safe.
/// </summary>
internal sealed class OrderProjection(IOrderReadModel readModel, IOrderEventStore store) : IBatchHandler<OrderEvent>
{
    public const string Group = "order-projection";

    public async Task HandleAsync(MessageBatch<OrderEvent> batch, CancellationToken cancellationToken)
    {
        OrderEvent[] events = [.. batch.Items.Select(static item => item.Message)];
        foreach (var model in (await readModel.GetModelsAsync(cancellationToken)).All)
        {
            await ApplyAsync(model, events, cancellationToken);
        }
    }

    /// <summary>Applies events to the orders of a model.</summary>
    /// <param name="model">The model.</param>
    /// <param name="events">The events of an order are in their order.</param>
    /// <param name="cancellationToken">Stops the waiting.</param>
    public async Task ApplyAsync(int model, IReadOnlyCollection<OrderEvent> events, CancellationToken cancellationToken)
    {
        var known = await readModel.ReadAsync(model, [.. events.Select(static one => one.OrderId).Distinct(StringComparer.Ordinal)], cancellationToken);
        var changed = new Dictionary<string, Order>(StringComparer.Ordinal);
        foreach (var next in events)
        {
            var order = changed.GetValueOrDefault(next.OrderId) ?? known.GetValueOrDefault(next.OrderId);
            var version = order?.Version ?? 0;
            if (next.Version == version + 1)
            {
                changed[next.OrderId] = Order.Apply(order, next);
            }
            else if (next.Version > version)
            {
                changed[next.OrderId] = await CatchUpAsync(next, cancellationToken);
            }
        }

        await readModel.WriteAsync(model, changed.Values, cancellationToken);
    }

    // The model does not have all events before this one: it is being built and has not read them yet, or the topic does not hold them any more.
    private async Task<Order> CatchUpAsync(OrderEvent next, CancellationToken cancellationToken)
    {
        var log = await store.ReadAsync(next.OrderId, cancellationToken);
        return log.Count >= next.Version
            ? Order.Fold(log)!
            : throw new InvalidOperationException(
                $"Event {next.Version} of order '{next.OrderId}' is in the topic, but not in the log, which has {log.Count}.");
    }
}
