using System.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Narad.Kafka.Testing;

namespace Narad.Kafka.SchemaRegistry.Tests;

/// <summary>A host with a Kafka service on a broker of its own, and a schema registry.</summary>
internal sealed class RegistryHost : IAsyncDisposable
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);

    private readonly EmbeddedKafka _kafka = new();

    public RegistryHost(string url, Action<NaradKafkaBuilder> configure, Action<SchemaRegistryOptions>? options = null, string environment = "Production")
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
            options?.Invoke(registry);
        }));
        builder.Services.AddHealthChecks().AddNaradKafka();
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
}
