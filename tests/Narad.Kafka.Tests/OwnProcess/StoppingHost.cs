using System.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Narad.Kafka.Tests.OwnProcess;

/// <summary>
/// A host that is stopped while a handler runs that ends only when its token is cancelled. Arguments: the host's limit, the service's, and how long the handler
/// takes (for ever where it is left out), in seconds.
/// </summary>
internal static class StoppingHost
{
    public static async Task<int> RunAsync(string[] arguments)
    {
        var hosts = TimeSpan.FromSeconds(double.Parse(arguments[0], System.Globalization.CultureInfo.InvariantCulture));
        var own = TimeSpan.FromSeconds(double.Parse(arguments[1], System.Globalization.CultureInfo.InvariantCulture));
        Endless.Takes = arguments.Length > 2 ? TimeSpan.FromSeconds(double.Parse(arguments[2], System.Globalization.CultureInfo.InvariantCulture))
            : Timeout.InfiniteTimeSpan;
        using var broker = EmbeddedBroker.Start();
        broker.CreateTopic("orders", 1);
        var builder = Host.CreateApplicationBuilder();
        builder.Logging.ClearProviders().AddSimpleConsole(console => console.SingleLine = true);
        builder.Services.Configure<HostOptions>(options => options.ShutdownTimeout = hosts);
        builder.Services.AddNaradKafka(options =>
        {
            options.Mode = KafkaMode.Embedded;
            options.EmbeddedBroker = broker;
            options.ShutdownTimeout = own;
        }).AddSubscription<string, Endless>("orders", group: "g");
        using var host = builder.Build();
        var started = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        host.Services.GetRequiredService<IHostApplicationLifetime>().ApplicationStarted.Register(started.SetResult);
        var stopping = StopWhenHandlingAsync();
        await host.RunAsync();
        await stopping;
        Console.WriteLine("ended");
        return 0;

        async Task StopWhenHandlingAsync()
        {
            await started.Task;
            await host.Services.GetRequiredService<IKafkaService>().SendAsync("orders", "x");
            await Endless.Started.Task;
            var since = Stopwatch.GetTimestamp();
            await host.StopAsync();
            Console.WriteLine(
                string.Create(System.Globalization.CultureInfo.InvariantCulture, $"stopped after {Stopwatch.GetElapsedTime(since).TotalSeconds:0.00} s"));
        }
    }

    private sealed class Endless : IMessageHandler<string>
    {
        public static readonly TaskCompletionSource Started = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public static TimeSpan Takes { get; set; }

        public async Task HandleAsync(string message, MessageContext context, CancellationToken cancellationToken)
        {
            Started.TrySetResult();
            try
            {
                await Task.Delay(Takes, cancellationToken);
            }
            finally
            {
                Console.WriteLine(cancellationToken.IsCancellationRequested ? "the handler's token was cancelled" : "the handler came to its end");
            }
        }
    }
}
