using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Narad.Kafka.Tests.OwnProcess;

/// <summary>
/// A host that ends because of a failure; ends as an application does whose <c>Main</c> returns nothing. Argument: <c>handler</c> (a handler fails, under
/// <see cref="UnhandledPolicy.StopHost"/>), <c>late</c> (a subscription is refused after the start), or <c>well</c> (the handler succeeds and the application
/// stops itself).
/// </summary>
internal static class FailingHost
{
    public static async Task<int> RunAsync(string[] arguments)
    {
        using var broker = EmbeddedBroker.Start();
        broker.CreateTopic("orders", 1);
        var builder = Host.CreateApplicationBuilder();
        builder.Logging.ClearProviders().AddSimpleConsole(console => console.SingleLine = true);
        builder.Services.AddSingleton(new Failure(arguments[0] is "handler"));
        if (arguments[0] is "late")
        {
            broker.CreateTopic("orders-retry", 4);   // key order needs as many partitions as its source has
            broker.StopBroker();
            builder.Services.AddNaradKafka(options =>
            {
                options.Mode = KafkaMode.Kafka;
                options.Brokers = broker.BootstrapServers;
                options.StartWithoutBroker = true;
                options.ConnectTimeout = TimeSpan.FromSeconds(5);   // the broker starts while the topic is looked for
            }).AddSubscription<string,
                Fails>("orders", group: "g", subscription => (subscription.Retry.Topic.MaxAttempts, subscription.Retry.PreserveKeyOrder) = (3, true));
        }
        else
        {
            builder.Services.AddNaradKafka(options =>
            {
                options.Mode = KafkaMode.Embedded;
                options.EmbeddedBroker = broker;
                options.OnUnhandled = UnhandledPolicy.StopHost;
            }).AddSubscription<string, Fails>("orders", group: "g");
        }

        using var host = builder.Build();
        host.Services.GetRequiredService<IHostApplicationLifetime>().ApplicationStarted.Register(() =>
        {
            broker.StartBroker();
            _ = host.Services.GetRequiredService<IKafkaService>().SendAsync("orders", "x").AsTask();
        });
        await host.RunAsync();
        Console.WriteLine("ended");
        return Environment.ExitCode;
    }

    private sealed record Failure(bool Happens);

    private sealed class Fails(Failure failure, IHostApplicationLifetime lifetime) : IMessageHandler<string>
    {
        public Task HandleAsync(string message, MessageContext context, CancellationToken cancellationToken)
        {
            if (failure.Happens)
            {
                throw new InvalidOperationException("what the handler needs is gone");
            }

            lifetime.StopApplication();
            return Task.CompletedTask;
        }
    }
}
