using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Time.Testing;
using Narad.Kafka;
using Orders;
using Orders.Events;
using Orders.Participants.Payment;
using Orders.Participants.Shipping;
using Orders.Participants.Stock;
using Orders.Saga;
using Orders.Storage;

namespace Narad.Samples.Tests.Orders;

/// <summary>The handlers of saga and participants without a broker: a test calls them, and sees what they put into the outbox. Not thread-safe.</summary>
internal sealed class SagaHarness : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly AsyncServiceScope _scope;
    private readonly HashSet<string> _seen = new(StringComparer.Ordinal);

    public SagaHarness()
    {
        var builder = WebApplication.CreateBuilder(["--Kafka:Mode=Embedded"]);
        var kafka = builder.AddOrdersKafka("test", Memory);
        kafka.AddOrderSaga();
        kafka.AddPayment();
        kafka.AddStock();
        kafka.AddShipping();
        builder.Services.Replace(ServiceDescriptor.Singleton<TimeProvider>(Time));
        _app = builder.Build();
        _scope = _app.Services.CreateAsyncScope();
    }

    public OrdersMemory Memory { get; } = new();

    public FakeTimeProvider Time { get; } = new(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));

    public IOrderEventStore Events => Get<IOrderEventStore>();

    public OrderSaga Saga => Get<OrderSaga>();

    public PaymentHandler Payment => Get<PaymentHandler>();

    public StockHandler Stock => Get<StockHandler>();

    public ShippingHandler Shipping => Get<ShippingHandler>();

    public async Task<Order> OrderAsync() => Order.Fold(await Events.ReadAsync(OrderLog.Id, default))!;

    public Task CreateAsync() => Events.CreateAsync(OrderLog.Id, OrderLog.Created, idempotencyKey: null, default);

    public Task TellSagaAsync(OrderReply reply) => Saga.HandleAsync(reply, null!, default);

    /// <summary>The types of what was enqueued since the last call, events left out, in the order of each topic and key.</summary>
    public async Task<IReadOnlyList<string>> SentAsync()
    {
        var added = new List<OutboxMessage>();
        for (var bucket = 0; bucket < OutboxMessage.BucketCount; bucket++)
        {
            var lease = (await Memory.Outbox.TryAcquireAsync("test", bucket, TimeSpan.FromHours(1), default))!;
            var rows = await Memory.Outbox.ReadPendingAsync(lease, [], limit: 1_000, default);
            added.AddRange(rows.Select(static row => row.Message).Where(message => message.Topic is not "orders.events" && _seen.Add(message.Id)));
            await Memory.Outbox.ReleaseAsync(lease, default);
        }

        return added.ConvertAll(static message => JsonDocument.Parse(Encoding.UTF8.GetString(message.Value!)).RootElement.GetProperty("type").GetString()!);
    }

    public async ValueTask DisposeAsync()
    {
        await _scope.DisposeAsync();
        await _app.DisposeAsync();
    }

    private T Get<T>()
        where T : notnull => _scope.ServiceProvider.GetRequiredService<T>();
}
