using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Narad.Kafka;

var builder = Host.CreateApplicationBuilder(args);
builder.Services.AddNaradKafka(options => options.Mode = KafkaMode.Embedded)   // remove the mode to use the configuration
    .AddSubscription<OrderPlaced, BillOrder>("orders", group: "billing", o =>
    {
        o.Parallelism = 64;
        o.Retry.InMemory.MaxAttempts = 2;
        o.DeadLetter.Enabled = true;
    });
builder.Services.AddHostedService<PlaceOrders>();
await builder.Build().RunAsync();

internal sealed record OrderPlaced(string OrderId, decimal Total);

internal sealed class BillOrder : IMessageHandler<OrderPlaced>
{
    public Task HandleAsync(OrderPlaced message, MessageContext context, CancellationToken cancellationToken)
    {
        Console.WriteLine($"billed {message.OrderId}: {message.Total}");
        return Task.CompletedTask;
    }
}

internal sealed class PlaceOrders(IKafkaProducer kafka) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        for (var number = 1; !stoppingToken.IsCancellationRequested; number++)
        {
            await kafka.SendAsync("orders", new OrderPlaced($"o-{number}", 9.99m), key: $"o-{number}", cancellationToken: stoppingToken);
            await Task.Delay(TimeSpan.FromSeconds(1), stoppingToken);
        }
    }
}
