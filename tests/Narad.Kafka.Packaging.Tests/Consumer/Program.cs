using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Narad.Kafka;

// Without a container.
var received = new TaskCompletionSource<Greeting>(TaskCreationOptions.RunContinuationsAsynchronously);
await using (var kafka = new KafkaService(new KafkaOptions { Mode = KafkaMode.Embedded }))
{
    await kafka.Init().ConnectProducerAsync();
    await kafka.ConnectConsumerAsync("readers");
    await kafka.SubscribeAsync<Greeting>("greetings", (message, context, cancellationToken) =>
    {
        received.TrySetResult(message);
        return Task.CompletedTask;
    });

    var sent = await kafka.SendAsync("greetings", new Greeting("from the package"), key: "a");
    Console.WriteLine($"sent to {sent.Topic}");
    Console.WriteLine($"received {(await received.Task.WaitAsync(TimeSpan.FromSeconds(60))).Text}");

    var report = await kafka.DisconnectAsync();
    Console.WriteLine($"delivered {report.Delivered}, failed {report.Failed}, unknown {report.Unknown}");
}

// With one.
var builder = Host.CreateApplicationBuilder();
builder.Services.AddNaradKafka(options => options.Mode = KafkaMode.Console);
using var host = builder.Build();
await host.StartAsync();
var service = host.Services.GetRequiredService<IKafkaService>();
await service.Init().ConnectProducerAsync();
await service.SendAsync("test-topic", new { message = "Hello World" });
await host.StopAsync();

public sealed record Greeting(string Text);
