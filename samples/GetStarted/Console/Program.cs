using Narad.Kafka;

var options = KafkaOptions.FromEnvironment();
options.Mode = KafkaMode.Embedded;   // a broker in this process; remove the line to use KAFKA_BROKERS

await using var kafka = new KafkaService(options);
await kafka.Init().ConnectProducerAsync();
await kafka.ConnectConsumerAsync("my-consumer-group");

var handled = new TaskCompletionSource();
await kafka.SubscribeAsync<UserEvent>("user-events", (message, context, token) =>
{
    Console.WriteLine($"{message.UserId} did {message.Action} ({context.Topic}[{context.Partition}]@{context.Offset})");
    handled.TrySetResult();
    return Task.CompletedTask;
});

await kafka.SendAsync("user-events", new UserEvent("123", "login"), key: "123");
await handled.Task;

internal sealed record UserEvent(string UserId, string Action);
