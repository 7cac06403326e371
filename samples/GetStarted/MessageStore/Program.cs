using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Narad.Kafka;

var builder = Host.CreateApplicationBuilder(args);
builder.Services.AddNaradKafka(options => options.Mode = KafkaMode.Embedded)   // remove the mode to use the configuration
    .AddMongo()   // ConnectionStrings:mongodb, MONGODB_URI, or mongodb://localhost:27017; database message-db
    .StoreInMongo<OrderPlaced>(
        "orders",
        collection: "orders",
        group: "order-store",
        store: o => o.IdProperty = "orderId",
        configure: o => o.DeadLetter.Enabled = true);
builder.Services.AddHealthChecks().AddNaradKafka().AddNaradKafkaMongo();
builder.Services.AddHostedService<PlaceOrders>();
await builder.Build().RunAsync();

internal sealed record OrderPlaced(string OrderId, decimal Total);

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
