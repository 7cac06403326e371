using Microsoft.Extensions.DependencyInjection;
using Narad.Kafka;
using Narad.Samples;
using Orders.Events;
using Orders.Participants;
using Orders.ReadModel;
using Orders.Storage;

namespace Orders.Api;

/// <summary>Role <c>orders</c>: REST, projection and page.</summary>
internal static class OrdersApi
{
    public static void AddOrdersApi(this WebApplicationBuilder builder, OrdersMemory memory)
    {
        builder.Services.AddValidation();   // the attributes of request types and parameters
        builder.Services.AddOrderReadModel(builder.Configuration, memory);
        builder.Services.AddSingleton<OrderProjection>();
        builder.Services.AddSingleton<ProjectionRebuild>();
        builder.Services.AddSingleton<LiveFeed>();
        builder.Services.AddSingleton<IDeadLetterView, OrderDeadLetters>();
        builder.AddOrdersKafka("orders", memory)
            .AddParticipantBehaviours()
            .AddBatchSubscription<OrderEvent, OrderProjection>(Topics.Events, OrderProjection.Group, static o =>
            {
                o.StartPosition = StartPosition.Earliest;
                o.MaxBatchSize = 500;
                o.MaxBatchWait = TimeSpan.FromMilliseconds(20);

                // No event is left out: the projection waits while the storage is away, and stops at an event that it cannot apply.
                o.Retry.InMemory.MaxAttempts = 5;
                o.Retry.InMemory.Delay = TimeSpan.FromSeconds(1);
                o.CircuitBreaker.Enabled = true;
                o.CircuitBreaker.MinimumThroughput = 2;
                o.CircuitBreaker.ExceptionTypes.Add(typeof(StoreUnavailableException));
                o.CircuitBreaker.BreakDuration = TimeSpan.FromSeconds(1);
                o.CircuitBreaker.MaxBreakDuration = TimeSpan.FromSeconds(10);
            })
            .AddBroadcastSubscription<OrderEvent, LiveFeed>(Topics.Events);
    }

    public static void MapOrdersApi(this WebApplication app)
    {
        app.MapSamplePage(typeof(OrdersApi).Assembly, "Orders");
        app.MapOrders();
        app.MapOperations();
        app.MapDeadLetters();
    }
}
