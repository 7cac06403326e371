using Confluent.Kafka;
using Narad.Kafka.Diagnostics;

namespace Narad.Kafka.Tests.Service;

/// <summary>A service on an embedded broker of its own, with what it logged.</summary>
internal sealed class EmbeddedService : IAsyncDisposable
{
    private readonly bool _ownsBroker;

    private EmbeddedService(EmbeddedBroker? broker, Action<KafkaOptions>? configure)
    {
        _ownsBroker = broker is null;
        Broker = broker ?? EmbeddedBroker.Start();
        var options = new KafkaOptions
        {
            Mode = KafkaMode.Embedded,
            EmbeddedBroker = Broker,
            CommitInterval = TimeSpan.FromMilliseconds(50),
            ShutdownTimeout = TimeSpan.FromSeconds(10),
        };
        configure?.Invoke(options);
        Kafka = new KafkaService(options, Log);
    }

    public EmbeddedBroker Broker { get; }

    public LogEvents Log { get; } = new();

    public KafkaService Kafka { get; }

    /// <summary>Connected for sending and with group <c>g</c>.</summary>
    public static async Task<EmbeddedService> StartAsync(Action<KafkaOptions>? configure = null, EmbeddedBroker? broker = null)
    {
        var service = new EmbeddedService(broker, configure);
        await service.Kafka.ConnectProducerAsync();
        await service.Kafka.ConnectConsumerAsync("g");
        return service;
    }

    public Task<SendResult> SendAsync<T>(string topic, T message, MessageKey key = default, int? partition = null) =>
        Kafka.SendAsync<T>(topic, message, key, partition is null ? null : new SendOptions { Partition = partition }).AsTask();

    /// <summary>What group <c>g</c> has committed; null where it has nothing.</summary>
    public long? Committed(string topic, int partition = 0, string group = "g")
    {
        using var consumer = new ConsumerBuilder<byte[], byte[]>(new ConsumerConfig { BootstrapServers = Broker.BootstrapServers, GroupId = group })
            .SetLogHandler((_, _) => { }).Build();
        var offset = consumer.Committed([new TopicPartition(topic, partition)], TimeSpan.FromSeconds(10))[0].Offset;
        return offset == Offset.Unset ? null : offset.Value;
    }

    public Task<HealthReport> HealthAsync() => HealthReport.OfAsync(Kafka);

    public async ValueTask DisposeAsync()
    {
        await Kafka.DisposeAsync();
        if (_ownsBroker)
        {
            Broker.Dispose();
        }
    }
}

internal sealed record HealthReport(Microsoft.Extensions.Diagnostics.HealthChecks.HealthStatus Status, string Description)
{
    public static async Task<HealthReport> OfAsync(KafkaService kafka)
    {
        var check = new KafkaHealthCheck(kafka);
        var result = await check.CheckHealthAsync(new()
        {
            Registration = new("kafka", check, failureStatus: null, tags: null),
        });
        return new HealthReport(result.Status, result.Description ?? "");
    }
}
