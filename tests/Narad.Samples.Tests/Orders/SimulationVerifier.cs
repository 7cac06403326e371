using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Orders.Events;
using Orders.Participants.Payment;
using Orders.Participants.Shipping;
using Orders.Participants.Stock;
using Orders.ReadModel;
using Orders.Saga;
using Orders.Storage;

namespace Narad.Samples.Tests.Orders;

/// <summary>Checks, when every order has ended, that everything adds up.</summary>
internal sealed class SimulationVerifier(OrdersCluster cluster, IReadOnlyDictionary<string, Order> orders)
{
    private IEnumerable<Order> Shipped => orders.Values.Where(static order => order.State is OrderState.Shipped);

    public async Task VerifyAsync()
    {
        orders.Values.Should().OnlyContain(static order => order.HasEnded);
        await VerifyMoneyAsync();
        await VerifyStockAsync();
        await VerifyParcelsAsync();
        await VerifySagasAsync();
        await VerifyEventsAsync();
        await VerifyReadModelAsync();
    }

    private async Task VerifyMoneyAsync()
    {
        var bookings = await Get<IPayments>().BookingsAsync(default);
        bookings.Sum(static booking => booking.Amount).Should().Be(Shipped.Sum(static order => order.Total), "the money of the shipped orders is kept");
        var byOrder = bookings.ToLookup(static booking => booking.OrderId, static booking => booking.Amount, StringComparer.Ordinal);
        foreach (var order in orders.Values)
        {
            decimal[] booked = [.. byOrder[order.OrderId]];
            if (order.State is OrderState.Shipped)
            {
                booked.Should().Equal([order.Total], "{0} is shipped: it is charged once", order.OrderId);
            }
            else if (booked.Length > 0)
            {
                booked.Should().Equal([order.Total, -order.Total], "{0} is cancelled: what was charged is paid back once", order.OrderId);
            }
        }
    }

    private async Task VerifyStockAsync()
    {
        var taken = StockLevels.Quantities([.. Shipped.SelectMany(static order => order.Items)])
            .ToDictionary(static item => item.Sku, static item => item.Quantity, StringComparer.Ordinal);
        var levels = await Get<IWarehouse>().LevelsAsync(default);
        foreach (var sku in levels.Keys.Union(taken.Keys, StringComparer.Ordinal))
        {
            levels[sku].Should().Be(StockLevels.Initial - taken.GetValueOrDefault(sku), "what is not shipped of '{0}' is in stock", sku);
        }
    }

    private async Task VerifyParcelsAsync()
    {
        var parcels = (await Get<IShipments>().AllAsync(default)).Where(static shipment => shipment.TrackingNumber is not null);
        parcels.Select(static parcel => (parcel.OrderId, parcel.TrackingNumber, parcel.Address)).Should().BeEquivalentTo(
            Shipped.Select(static order => (order.OrderId, order.TrackingNumber, (string?)order.DeliveryAddress)));
    }

    private async Task VerifySagasAsync()
    {
        foreach (var id in orders.Keys)
        {
            // The saga of an order that ended is saved in the transaction of its last event.
            (await Get<ISagaStore>().FindAsync(id, default)).Should().Be(new SagaState(id, OrderStep.None, Deadline: null));
        }
    }

    private async Task VerifyEventsAsync()
    {
        var logs = new Dictionary<string, IReadOnlyList<OrderEvent>>(StringComparer.Ordinal);
        foreach (var id in orders.Keys)
        {
            logs[id] = await Get<IOrderEventStore>().ReadAsync(id, default);
            logs[id].Where(static one => one is not OrderUpdated).Select(static one => one.GetType()).Should().OnlyHaveUniqueItems("nothing happens twice");
        }

        // The relays may be behind.
        IReadOnlyList<OrderEvent> topic = [];
        await Wait.UntilAsync(
            () =>
            {
                topic = cluster.ReadTopic();
                var known = topic.DistinctBy(static one => (one.OrderId, one.Version)).Count();
                return Task.FromResult(known >= logs.Values.Sum(static log => log.Count));
            },
            "every event is in the topic");

        // A relay that was killed sends again what it had sent: the first copies are the log.
        var sent = topic.DistinctBy(static one => (one.OrderId, one.Version)).ToLookup(static one => one.OrderId, OrderJson.Write, StringComparer.Ordinal);
        sent.Select(static log => log.Key).Should().BeEquivalentTo(orders.Keys);
        foreach (var (id, log) in logs)
        {
            sent[id].Should().Equal(log.Select(OrderJson.Write), "topic and store agree");
        }

        topic.Select(OrderJson.Write).Distinct(StringComparer.Ordinal).Should().HaveCount(sent.Sum(static log => log.Count()), "a copy is the same");
    }

    private async Task VerifyReadModelAsync()
    {
        var model = Get<IOrderReadModel>();
        IReadOnlyDictionary<string, Order> stored = new Dictionary<string, Order>();
        await Wait.UntilAsync(
            async () =>
            {
                stored = await model.ReadAsync((await model.GetModelsAsync(default)).Active, [.. orders.Keys], default);
                return stored.Count == orders.Count && stored.Values.All(static order => order.HasEnded);
            },
            "the read model has every order at its end");
        stored.Values.Select(Text).Should().BeEquivalentTo(orders.Values.Select(Text), "what is rebuilt from the log is what is stored");

        static string Text(Order order) => JsonSerializer.Serialize(order);
    }

    private T Get<T>()
        where T : notnull => cluster.Client.GetRequiredService<T>();
}
