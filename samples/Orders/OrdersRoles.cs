using Microsoft.Extensions.DependencyInjection;
using Narad.Kafka;
using Narad.Samples;
using Orders.Api;
using Orders.Events;
using Orders.Participants;
using Orders.Participants.Payment;
using Orders.Participants.Shipping;
using Orders.Participants.Stock;
using Orders.Saga;
using Orders.Storage;

namespace Orders;

/// <summary>What the processes consist of.</summary>
internal static class OrdersRoles
{
    /// <summary>
    /// The roles. In memory they share one storage, so they run in one process; with a MongoDB replica set each may be a process of its own, or several.
    /// </summary>
    public static SampleRole[] All() => All(new OrdersMemory());

    /// <summary>The roles, with the memory that they share.</summary>
    public static SampleRole[] All(OrdersMemory memory) =>
    [
        new("orders", 3000, builder =>
        {
            builder.AddOrdersApi(memory);
            var app = builder.Build();
            app.MapSampleDefaults();
            app.MapOrdersApi();
            return app;
        }),
        Worker("saga", 3001, memory, static kafka => kafka.AddOrderSaga()),
        Worker("payment", 3002, memory, static kafka => kafka.AddPayment()),
        Worker("stock", 3003, memory, static kafka => kafka.AddStock()),
        Worker("shipping", 3004, memory, static kafka => kafka.AddShipping()),
    ];

    private static SampleRole Worker(string name, int port, OrdersMemory memory, Action<NaradKafkaBuilder> add) => new(name, port, builder =>
    {
        add(builder.AddOrdersKafka(name, memory));
        var app = builder.Build();
        app.MapSampleDefaults();
        return app;
    });

    /// <summary>The Kafka service of a role: topics, routes, storage, health.</summary>
    public static NaradKafkaBuilder AddOrdersKafka(this WebApplicationBuilder builder, string role, OrdersMemory memory)
    {
        var kafka = builder.Services.AddNaradKafka(builder.Configuration, options =>
            {
                options.ClientId = $"orders-{role}";
                options.SendTimeout = TimeSpan.FromSeconds(10);
            })
            .AddOrderTopics()
            .AddRoute<OrderEvent>(Topics.Events, static route => route.KeySelector = static sent => sent.OrderId)
            .AddRoute<OrderReply>(Topics.Replies, static route => route.KeySelector = static sent => sent.OrderId)
            .AddRoute<PaymentCommand>(Topics.PaymentCommands, static route => route.KeySelector = static sent => sent.OrderId)
            .AddRoute<StockCommand>(Topics.StockCommands, static route => route.KeySelector = static sent => sent.OrderId)
            .AddRoute<ShippingCommand>(Topics.ShippingCommands, static route => route.KeySelector = static sent => sent.OrderId)
            .AddRoute<ParticipantBehaviour>(Topics.Behaviour, static route => route.KeySelector = static sent => sent.Participant)
            .AddOrderStorage(builder.Configuration, memory);
        builder.Services.AddHealthChecks().AddNaradKafka().AddNaradKafkaOutbox();
        return kafka;
    }
}
