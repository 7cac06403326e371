using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Narad.Kafka.Benchmarks;

/// <summary>A handler class as an application's container creates it: one for each message, in a scope of its own.</summary>
internal sealed class HostedHandler(HostedHandler.Run run) : IMessageHandler<UserEvent>
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    public static async Task<Sample> RunAsync(Arena arena, FilledTopic topic)
    {
        var run = new Run(topic.Messages);
        var settings = arena.Options();
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Services.AddSingleton(run);
        builder.Services
            .AddNaradKafka(options => (options.Mode, options.Brokers, options.ClientId) = (settings.Mode, settings.Brokers, settings.ClientId))
            .AddSubscription<UserEvent, HostedHandler>(topic.Name, arena.NewName("group"));
        using var host = builder.Build();
        await host.StartAsync();
        var sample = await run.Done.WaitAsync(Patience);
        await host.StopAsync();
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

        public void Count(long offset)
        {
            if (Volatile.Read(ref _begun) == 0 && Interlocked.Exchange(ref _begun, 1) == 0)
            {
                _stretch = Sample.Start();
            }

            Interlocked.Add(ref _offsets, offset);
            if (Interlocked.Increment(ref _handled) == messages)
            {
                _done.TrySetResult(_stretch.PerSecond(messages));
            }
        }
    }
}
