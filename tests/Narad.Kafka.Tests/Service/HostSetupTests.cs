using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Narad.Kafka.Tests.Service;

/// <summary>
/// What a container's user gets wrong, or may do although it looks like a circle: the start works, or fails at once and says why. It never hangs.
/// </summary>
public sealed class HostSetupTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_handler_with_an_unregistered_dependency_fails_the_start_and_is_named_with_it(bool singleton)
    {
        var builder = Builder();
        if (singleton)
        {
            builder.Services.AddSingleton<NeedsMissing>().AddSingleton<NeedsMissingBatch>();
        }

        Kafka(builder).AddSubscription<string, NeedsMissing>("orders", group: "g")
            .AddSubscription<string, Accept>("users", group: "g")
            .AddBatchSubscription<string, NeedsMissingBatch>("invoices", group: "g");
        using var host = builder.Build();

        var faults = (await host.Awaiting(it => it.StartAsync()).Should().ThrowAsync<KafkaConfigurationException>()).Which.Errors;

        faults.Should().HaveCount(2);
        faults[0].Should().Contain(nameof(NeedsMissing)).And.Contain(nameof(IMissing)).And.Contain("'orders'");
        faults[1].Should().Contain(nameof(NeedsMissingBatch)).And.Contain(nameof(IMissing)).And.Contain("'invoices'");
    }

    [Fact]
    public async Task A_handler_that_cannot_be_created_later_stops_its_partition_and_makes_no_dead_letter()
    {
        var breaks = new Breaks();
        var builder = Builder();
        builder.Services.AddSingleton(breaks).AddScoped<IMissing>(_ => breaks.Now ? throw new InvalidOperationException("no connection string") : new Found());
        Kafka(builder).AddSubscription<string, NeedsMissing>("orders", group: "g", subscription => subscription.DeadLetter.Enabled = true);
        using var host = builder.Build();
        await host.StartAsync();
        var kafka = host.Services.GetRequiredService<IKafkaService>();
        breaks.Now = true;

        await kafka.SendAsync("orders", "x");

        await Waiting.Until(() => kafka.Subscriptions[0].StoppedPartitions.Count == 1, "the partition stops");
        kafka.Subscriptions[0].StoppedPartitions[0].Reason.Message.Should().Contain(nameof(NeedsMissing)).And.Contain("no connection string");
        (await kafka.DeadLetters.CountAsync("orders-dlt")).Should().Be(0);
        breaks.Now = false;
        await kafka.Subscriptions[0].ResumeAsync(kafka.Subscriptions[0].StoppedPartitions[0].Partition);
        await Waiting.Until(() => kafka.Subscriptions[0].StoppedPartitions.Count == 0, "the message is handled");
        await host.StopAsync();
    }

    [Fact]
    public async Task Middleware_observers_and_logger_providers_may_take_the_service()
    {
        var builder = Builder();
        builder.Services.AddSingleton<ILoggerProvider, TakesService>();
        Kafka(builder).UseSendMiddleware<TakesServiceToo>().UseConsumeMiddleware<TakesServiceToo>().UseFailureObserver<TakesServiceToo>()
            .AddSubscription<string, Accept>("orders", group: "g");
        var starting = Task.Run(async () =>
        {
            var host = builder.Build();
            await host.StartAsync();
            return host;
        });
        using var host = await starting.WaitAsync(Waiting.Deadline);
        var kafka = host.Services.GetRequiredService<IKafkaService>();

        await kafka.SendAsync("orders", "x");

        host.Services.GetServices<ISendMiddleware>().OfType<TakesServiceToo>().Single().Sent.Should().Be(1);
        await Waiting.Until(() => host.Services.GetServices<IConsumeMiddleware>().OfType<TakesServiceToo>().Single()
            .Handled == 1, "handled through the middleware");
        var provider = host.Services.GetServices<ILoggerProvider>().OfType<TakesService>().Single();
        provider.Kafka.Should().BeSameAs(kafka);
        provider.Lines.Should().Contain(line => line.StartsWith("Narad.Kafka", StringComparison.Ordinal), "the library's lines come to it");
        await host.StopAsync();
    }

    [Fact]
    public async Task Settings_that_take_the_service_fail_the_start_at_once_with_the_chain()
    {
        var builder = Builder();
        Kafka(builder);
        builder.Services.AddSingleton<IConfigureOptions<KafkaOptions>, TakesServiceForSettings>();
        var starting = Task.Run(async () =>
        {
            using var host = builder.Build();
            await host.StartAsync();
        });

        (await starting.Awaiting(it => it.WaitAsync(Waiting.Deadline)).Should().ThrowAsync<InvalidOperationException>())
            .Which.Message.Should().Contain("IKafkaService → IOptions<KafkaOptions>").And.Contain("→ IKafkaService");
    }

    // As in Production: without the validation of all services that Development has.
    private static HostApplicationBuilder Builder() =>
        Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings { EnvironmentName = "Production" });

    private static NaradKafkaBuilder Kafka(HostApplicationBuilder builder) => builder.Services.AddNaradKafka(options => options.Mode = KafkaMode.Embedded);

    private interface IMissing;

    private sealed class Found : IMissing;

    private sealed class Breaks
    {
        public volatile bool Now;
    }

    private sealed class NeedsMissing(IMissing missing) : IMessageHandler<string>
    {
        public Task HandleAsync(string message, MessageContext context, CancellationToken cancellationToken) => Task.FromResult(missing);
    }

    private sealed class NeedsMissingBatch(IMissing missing) : IBatchHandler<string>
    {
        public Task HandleAsync(MessageBatch<string> batch, CancellationToken cancellationToken) => Task.FromResult(missing);
    }

    private sealed class Accept : IMessageHandler<string>
    {
        public Task HandleAsync(string message, MessageContext context, CancellationToken cancellationToken) => Task.CompletedTask;
    }

    private sealed class TakesService(IKafkaService kafka) : ILoggerProvider
    {
        private readonly System.Collections.Concurrent.ConcurrentQueue<string> _lines = new();

        public IKafkaService Kafka => kafka;

        public IReadOnlyCollection<string> Lines => _lines;

        public ILogger CreateLogger(string categoryName) => new Logger(categoryName, _lines);

        public void Dispose()
        {
            // Nothing is held.
        }

        private sealed class Logger(string category, System.Collections.Concurrent.ConcurrentQueue<string> lines) : ILogger
        {
            public IDisposable? BeginScope<TState>(TState state)
                where TState : notnull => null;

            public bool IsEnabled(LogLevel logLevel) => true;

            public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
                lines.Enqueue($"{category}: {formatter(state, exception)}");
        }
    }

    private sealed class TakesServiceToo(IKafkaService kafka) : ISendMiddleware, IConsumeMiddleware, IFailureObserver
    {
        private int _sent;
        private int _handled;

        public int Sent => Volatile.Read(ref _sent);

        public int Handled => Volatile.Read(ref _handled);

        public ValueTask<SendResult> SendAsync(OutgoingMessage message, SendDelegate next, CancellationToken cancellationToken)
        {
            _ = kafka.Mode;
            Interlocked.Increment(ref _sent);
            return next(message, cancellationToken);
        }

        public Task HandleAsync(object? message, MessageContext context, ConsumeDelegate next, CancellationToken cancellationToken)
        {
            Interlocked.Increment(ref _handled);
            return next(message, context, cancellationToken);
        }

        public void OnRetryScheduled(FailedMessage message, SendResult copy, DateTimeOffset due)
        {
            // Only that it can be created matters.
        }

        public void OnDeadLettered(FailedMessage message, SendResult copy)
        {
            // Only that it can be created matters.
        }
    }

    private sealed class TakesServiceForSettings(IKafkaService kafka) : IConfigureOptions<KafkaOptions>
    {
        public void Configure(KafkaOptions options) => _ = kafka.Mode;
    }
}
