using System.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Narad.Kafka.Testing;

namespace Narad.Kafka.SchemaRegistry.Tests;

/// <summary>A host with a Kafka service on a broker of its own, and a schema registry.</summary>
internal sealed class RegistryHost : IAsyncDisposable
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);

    private readonly EmbeddedKafka _kafka = new();

    public RegistryHost(string url, Action<NaradKafkaBuilder> configure, Action<SchemaRegistryOptions>? options = null, string environment = "Production",
        Action<string>? log = null)
    {
        Topic = _kafka.CreateTopic(partitions: 1);
        var builder = Microsoft.Extensions.Hosting.Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings { EnvironmentName = environment });
        var added = builder.Services.AddNaradKafka(kafka =>
        {
            _kafka.Apply(kafka);
            kafka.DegradedAfter = TimeSpan.FromMilliseconds(100);
            kafka.TopicNames["orders"] = Topic;
        });
        configure(added.AddSchemaRegistry(url, registry =>
        {
            registry.RetryDelay = TimeSpan.FromMilliseconds(50);
            registry.Timeout = TimeSpan.FromMinutes(1);   // only a registry that hangs needs less
            options?.Invoke(registry);
        }));
        builder.Services.AddHealthChecks().AddNaradKafka();
        if (log is not null)
        {
            builder.Logging.AddProvider(new Lines(log)).SetMinimumLevel(LogLevel.Trace);
        }

        Host = builder.Build();
    }

    /// <summary>The real name of the topic <c>orders</c>.</summary>
    public string Topic { get; }

    public IHost Host { get; }

    public IKafkaService Kafka => Host.Services.GetRequiredService<IKafkaService>();

    public KafkaSchemaRegistry Registry => Host.Services.GetRequiredService<KafkaSchemaRegistry>();

    public async Task<HealthReport> HealthAsync() => await Host.Services.GetRequiredService<HealthCheckService>().CheckHealthAsync();

    public static async Task Until(Func<Task<bool>> condition, string what)
    {
        var watch = Stopwatch.StartNew();
        while (!await condition())
        {
            if (watch.Elapsed > Deadline)
            {
                throw new TimeoutException($"Not within {Deadline}: {what}");
            }

            await Task.Delay(TimeSpan.FromMilliseconds(20));
        }
    }

    public static Task Until(Func<bool> condition, string what) => Until(() => Task.FromResult(condition()), what);

    public async ValueTask DisposeAsync()
    {
        await Host.StopAsync();
        Host.Dispose();
        await _kafka.DisposeAsync();
    }

    /// <summary>Hands over what is logged, exceptions included.</summary>
    private sealed class Lines(Action<string> log) : ILoggerProvider, ILogger
    {
        public ILogger CreateLogger(string categoryName) => this;

        public bool IsEnabled(LogLevel logLevel) => true;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            log($"{formatter(state, exception)} {exception}");

        public void Dispose()
        {
        }
    }
}
