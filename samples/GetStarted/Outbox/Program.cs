using MongoDB.Bson;
using MongoDB.Driver;
using Narad.Kafka;

var builder = WebApplication.CreateBuilder(args);
var mongo = new MongoClient(builder.Configuration["MONGODB_URI"] ?? "mongodb://localhost:27017/?replicaSet=rs0");
var orders = mongo.GetDatabase("shop").GetCollection<BsonDocument>("orders");
builder.Services.AddNaradKafka(options => options.Mode = KafkaMode.Embedded)   // remove the mode to use the configuration
    .AddMongo(mongo.GetDatabase("shop"))
    .AddOutbox()
    .AddRoute<OrderPlaced>("orders", route => route.KeySelector = order => order.OrderId)
    .AddSubscription<OrderPlaced, BillOrder>(group: "billing", configure: o => o.Once.Enabled = true);
builder.Services.AddHealthChecks().AddNaradKafka().AddNaradKafkaMongo().AddNaradKafkaOutbox();

var app = builder.Build();
app.MapHealthChecks("/health");
app.MapPost("/orders", async (OrderPlaced order, IOutbox outbox, CancellationToken cancellationToken) =>
{
    using var session = await mongo.StartSessionAsync(cancellationToken: cancellationToken);
    var messageId = await session.WithTransactionAsync(
        async (transaction, token) =>
        {
            var document = new BsonDocument { { "_id", order.OrderId }, { "total", order.Total } };
            await orders.InsertOneAsync(transaction, document, cancellationToken: token);
            return await outbox.WithSession(transaction).EnqueueAsync(order, cancellationToken: token);
        },
        cancellationToken: cancellationToken);
    return Results.Accepted(value: new { order.OrderId, messageId });
});
app.MapGet("/outbox/set-aside", async (IOutbox outbox, CancellationToken cancellationToken) =>
    (await outbox.SetAside.ListAsync(cancellationToken: cancellationToken))
        .Select(static one => new { one.Message.Id, one.Message.Topic, one.Attempts, one.Reason, one.SetAsideAt }));
app.MapPost("/outbox/set-aside/{id}/retry", async (string id, IOutbox outbox, CancellationToken cancellationToken) =>
    await outbox.SetAside.RetryAsync([id], cancellationToken) == 1 ? Results.NoContent() : Results.NotFound());
await app.RunAsync();

internal sealed record OrderPlaced(string OrderId, decimal Total);

internal sealed class BillOrder(ILogger<BillOrder> logger) : IMessageHandler<OrderPlaced>
{
    public Task HandleAsync(OrderPlaced message, MessageContext context, CancellationToken cancellationToken)
    {
        logger.LogInformation("Billed {OrderId}", message.OrderId);
        return Task.CompletedTask;
    }
}
