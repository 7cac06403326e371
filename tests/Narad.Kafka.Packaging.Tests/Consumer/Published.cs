using System.Text.Json.Serialization;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Narad.Kafka;

// A host with a handler class, JSON without reflection, on the embedded broker.
var builder = Host.CreateApplicationBuilder();
builder.Services.AddSingleton<Received>();
builder.Services
    .AddNaradKafka(options =>
    {
        options.Mode = KafkaMode.Embedded;
        options.Json = GreetingJson.Default.Options;
    })
    .AddSubscription<Greeting, GreetingHandler>("greetings", "readers");
using var host = builder.Build();
await host.StartAsync();

var kafka = host.Services.GetRequiredService<IKafkaService>();
await kafka.SendAsync("greetings", new Greeting("from a published application"), key: "a");
Console.WriteLine($"received {await host.Services.GetRequiredService<Received>().Text.Task.WaitAsync(TimeSpan.FromSeconds(60))}");
await host.StopAsync();
Console.WriteLine("stopped");

public sealed record Greeting(string Text);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(Greeting))]
internal sealed partial class GreetingJson : JsonSerializerContext;

public sealed class Received
{
    public TaskCompletionSource<string> Text { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
}

public sealed class GreetingHandler(Received received) : IMessageHandler<Greeting>
{
    public Task HandleAsync(Greeting message, MessageContext context, CancellationToken cancellationToken)
    {
        received.Text.TrySetResult(message.Text);
        return Task.CompletedTask;
    }
}
