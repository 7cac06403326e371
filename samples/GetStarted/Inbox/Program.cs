using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using MongoDB.Bson;
using MongoDB.Driver;
using Narad.Kafka;

var builder = Host.CreateApplicationBuilder(args);
var mongo = new MongoClient(builder.Configuration["MONGODB_URI"] ?? "mongodb://localhost:27017/?replicaSet=rs0");
var shop = mongo.GetDatabase("shop");
builder.Services.AddSingleton(shop);
builder.Services.AddNaradKafka(options => options.Mode = KafkaMode.Embedded)   // remove the mode to use the configuration
    .AddMongo(shop)
    .AddSubscription<OrderPlaced, RecordInvoice>("orders", group: "invoices", o =>
    {
        o.Once.Enabled = true;
        o.Once.IdProperty = "orderId";   // the message id is a property of the message
        o.Timeout = TimeSpan.FromSeconds(20);
    });
builder.Services.AddHealthChecks().AddNaradKafka().AddNaradKafkaMongo();
builder.Services.AddHostedService<PlaceOrders>();
await builder.Build().RunAsync();

internal sealed record OrderPlaced(string OrderId, decimal Total);

internal sealed class RecordInvoice(IMongoDatabase shop) : IMessageHandler<OrderPlaced>
{
    public async Task HandleAsync(OrderPlaced message, MessageContext context, CancellationToken cancellationToken)
    {
        var invoices = shop.GetCollection<BsonDocument>("invoices");
        var invoice = new BsonDocument { { "order", message.OrderId }, { "total", message.Total } };
        await (context.GetMongoSession() is { } session
            ? invoices.InsertOneAsync(session, invoice, cancellationToken: cancellationToken)   // commits together with the inbox
            : invoices.InsertOneAsync(invoice, cancellationToken: cancellationToken));          // a standalone server
        Console.WriteLine($"invoice for {message.OrderId}");
    }
}

internal sealed class PlaceOrders(IKafkaProducer kafka) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var run = DateTime.UtcNow.Ticks;
        for (var number = 1; !stoppingToken.IsCancellationRequested; number++)
        {
            // Each order is sent twice. It has one invoice.
            var order = new OrderPlaced($"o-{run}-{number}", 9.99m);
            await kafka.SendAsync("orders", order, key: order.OrderId, cancellationToken: stoppingToken);
            await kafka.SendAsync("orders", order, key: order.OrderId, cancellationToken: stoppingToken);
            await Task.Delay(TimeSpan.FromSeconds(1), stoppingToken);
        }
    }
}
