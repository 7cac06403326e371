using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Narad.Kafka.Benchmarks;

/// <summary>A handler class as an application's container creates it: one for each message, from a scope of its own.</summary>
internal sealed class HostedHandler(HostedHandler.Run run) : IMessageHandler<UserEvent>
{
    private static readonly TimeSpan Timeout = TimeSpan.FromMinutes(1);

    public static async Task<Sample> RunAsync(BenchmarkEnvironment environment, FilledTopic topic)
    {
        var run = new Run(topic.Messages);
        var settings = environment.Options();
        var services = new ServiceCollection().AddLogging().AddSingleton(run).AddSingleton<IHostApplicationLifetime, Lifetime>();
        services
            .AddNaradKafka(options => (options.Mode, options.Brokers, options.ClientId) = (settings.Mode, settings.Brokers, settings.ClientId))
            .AddSubscription<UserEvent, HostedHandler>(topic.Name, environment.NewName("group"));
        await using var provider = services.BuildServiceProvider();
        return await MeasureAsync(provider, run, topic, Timeout);
    }

    /// <summary>Runs the hosted services until all messages are counted.</summary>
    public static async Task<Sample> MeasureAsync(IServiceProvider provider, Run run, FilledTopic topic, TimeSpan timeout)
    {
        var hosted = provider.GetServices<IHostedService>().ToList();
        foreach (var service in hosted)
        {
            await service.StartAsync(CancellationToken.None);
        }

        var sample = await run.Done.WaitAsync(timeout);
        foreach (var service in hosted)
        {
            await service.StopAsync(CancellationToken.None);
        }

        topic.Check(run.Handled, run.Offsets);
        return sample;
    }

    public Task HandleAsync(UserEvent message, MessageContext context, CancellationToken cancellationToken)
    {
        run.Count(context.Offset);
        return Task.CompletedTask;
    }

    /// <summary>Counts one run's messages. Thread-safe.</summary>
    internal sealed class Run(int messages)
    {
        private readonly TaskCompletionSource<Sample> _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private Sample.Stretch _stretch;
        private int _begun;
        private int _handled;
        private long _offsets;

        public Task<Sample> Done => _done.Task;

        public int Handled => Volatile.Read(ref _handled);

        public long Offsets => Volatile.Read(ref _offsets);

        /// <summary>The time is counted from the first call.</summary>
        public void Begin()
        {
            if (Volatile.Read(ref _begun) == 0 && Interlocked.Exchange(ref _begun, 1) == 0)
            {
                _stretch = Sample.Start();
            }
        }

        public void Count(long offset)
        {
            Begin();
            Interlocked.Add(ref _offsets, offset);
            if (Interlocked.Increment(ref _handled) == messages)
            {
                _done.TrySetResult(_stretch.PerSecond(messages));
            }
        }
    }

    /// <summary>The life of a host that runs as long as its process.</summary>
    internal sealed class Lifetime : IHostApplicationLifetime
    {
        public CancellationToken ApplicationStarted => CancellationToken.None;

        public CancellationToken ApplicationStopping => CancellationToken.None;

        public CancellationToken ApplicationStopped => CancellationToken.None;

        public void StopApplication() => Environment.FailFast("A subscription of the benchmark ended by itself.");
    }
}
