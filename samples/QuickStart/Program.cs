using System.Runtime.InteropServices;
using Narad.Kafka;
using QuickStart;
using QuickStart.Verification;

if (args is not ["examples"])
{
    return await VerifiedRun.RunAsync(args);   // ./demo.sh: sends the events of a file and verifies that none is lost or out of order
}

// KAFKA_BROKERS names a cluster, KAFKA_MODE=console only logs what it would send. Without either, a broker runs inside this process.
await using var kafka = KafkaService.FromEnvironment(options =>
{
    var isNamed = options.Mode is not KafkaMode.Auto || Environment.GetEnvironmentVariable("KAFKA_BROKERS") is { Length: > 0 };
    options.Mode = isNamed ? options.Mode : KafkaMode.Embedded;
    options.TopicCreation = TopicCreation.IfMissing;
});

// Ctrl-C (SIGINT) and SIGTERM end the program below, instead of here and now.
var shutdown = new TaskCompletionSource();
using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, OnSignal);
using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, OnSignal);

// Send. It completes when the broker has the message.
var users = new UserEventService(kafka);
await users.PublishUserLoginAsync("user122");   // not connected yet: kept, and sent after the connection
await users.InitAsync();                        // kafka.Init().ConnectProducerAsync()
await kafka.SendAsync("test-topic", new { message = "Hello World" });
await kafka.SendAsync("user-activity", new UserAction("123", "open", DateTimeOffset.UtcNow), key: "123");

// Subscribe. The group is connected first. The offset of a message is committed after its handler has returned.
await kafka.ConnectConsumerAsync("my-consumer-group");
await kafka.SubscribeAsync<UserAction>("user-activity", (message, context, cancellationToken) =>
{
    Console.WriteLine($"Received message: {message.UserId} did {message.Action}. From topic: {context.Topic} partition: {context.Partition}");
    return Task.CompletedTask;
});

// The same in classes: several topics in a group of its own, and a handler for each type of message.
var processor = new EventProcessor(kafka);
await processor.InitAsync();
await processor.StartProcessingAsync();
await users.PublishUserLoginAsync("user123", new() { ["ip"] = "192.168.1.1" });
await users.PublishUserActionAsync("user123", "purchase", new() { ["product"] = "desk-lamp" });
await kafka.SendAsync("system-events", new SystemEvent("STARTED", "quickstart"));

Console.WriteLine($"Kafka connected: {kafka.IsConnected}. Press Ctrl-C to stop.");
await Task.WhenAny(shutdown.Task, kafka.Completion);   // Completion: the service ended by itself
Console.WriteLine("Shutting down gracefully...");
await kafka.DisconnectAsync();   // what runs is finished and committed, then the group is left
return 0;

void OnSignal(PosixSignalContext signal)
{
    signal.Cancel = true;
    shutdown.TrySetResult();
}
