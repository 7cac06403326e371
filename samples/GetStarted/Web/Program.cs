using Narad.Kafka;

var builder = WebApplication.CreateBuilder(args);
builder.Services.AddNaradKafka(options => options.Mode = KafkaMode.Embedded)   // remove the mode to use the configuration
    .AddSubscription<OrderPlaced, BillOrder>("orders", group: "billing", o => o.DeadLetter.Enabled = true);
builder.Services.AddHealthChecks().AddNaradKafka();

var app = builder.Build();
app.MapHealthChecks("/health");
app.MapPost("/orders", async (OrderPlaced order, IKafkaProducer kafka, CancellationToken cancellationToken) =>
{
    var sent = await kafka.SendAsync("orders", order, key: order.OrderId, cancellationToken: cancellationToken);
    return Results.Accepted(value: sent);
});
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
