using Confluent.SchemaRegistry;
using Narad.Kafka;

// Without an argument: a registry in this process. Otherwise the address of yours.
var url = args.Length > 0 ? args[0] : "memory:";
using var registry = new KafkaSchemaRegistry(new SchemaRegistryOptions { Url = url, Registration = SchemaRegistration.UseLatestVersion })
    .WithSchema<OrderPlaced>("orders");
var options = new KafkaOptions { Mode = KafkaMode.Embedded }.UseSchemaRegistry(registry);

// A team that reviews its schemas registers them in its own build.
await registry.Client.RegisterSchemaAsync("orders-value", new Schema(
    """
    {
      "$schema": "http://json-schema.org/draft-07/schema#",
      "type": "object",
      "properties": {
        "orderId": { "type": "string", "minLength": 1 },
        "total": { "type": "number", "exclusiveMinimum": 0 }
      },
      "required": ["orderId", "total"]
    }
    """,
    SchemaType.Json));
await registry.StartAsync();   // looks up the schema of orders-value

await using var kafka = new KafkaService(options);
await kafka.Init().ConnectProducerAsync();
await kafka.ConnectConsumerAsync("billing");
var billed = new TaskCompletionSource();
await kafka.SubscribeAsync<OrderPlaced>(
    "orders",
    (order, _, _) =>
    {
        Console.WriteLine($"billed {order.OrderId}: {order.Total}");
        billed.SetResult();
        return Task.CompletedTask;
    },
    "billing");

try
{
    await kafka.SendAsync("orders", new OrderPlaced("o-1", -5m));
}
catch (KafkaSendException error)
{
    Console.WriteLine($"refused: {error.InnerException?.Message}");
}

await kafka.SendAsync("orders", new OrderPlaced("o-2", 9.99m));
await billed.Task;
await kafka.DisconnectAsync();

internal sealed record OrderPlaced(string OrderId, decimal Total);
