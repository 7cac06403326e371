using System.Globalization;
using Confluent.Kafka;
using Confluent.Kafka.Admin;
using Narad.Kafka.Configuration;

namespace Narad.Kafka.Benchmarks;

/// <summary>
/// The broker that all candidates share, and the one configuration that all their clients get. The library runs in the mode
/// <see cref="KafkaMode.Kafka"/> on the embedded broker too, so that what is measured is what production runs.
/// </summary>
internal sealed class BenchmarkEnvironment : IAsyncDisposable
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(10);

    private readonly EmbeddedBroker? _embedded;
    private readonly string _run = Guid.NewGuid().ToString("N")[..8];
    private readonly Dictionary<string, int> _partitions = new(StringComparer.Ordinal);
    private int _names;

    public BenchmarkEnvironment(string? brokers)
    {
        _embedded = brokers is null ? EmbeddedBroker.Start() : null;
        Brokers = brokers ?? _embedded!.BootstrapServers;
        if (brokers is not null)
        {
            using var admin = Admin();
            try
            {
                admin.GetMetadata(Timeout);
            }
            catch (KafkaException exception)
            {
                throw new TimeoutException($"No broker answered at {brokers} within {Timeout.TotalSeconds} s: {exception.Error.Reason}.", exception);
            }
        }
    }

    public string Brokers { get; }

    /// <summary>A name that nobody used before.</summary>
    public string NewName(string what) => string.Create(CultureInfo.InvariantCulture, $"narad-bench-{_run}-{what}-{Interlocked.Increment(ref _names)}");

    public async Task<string> NewTopicAsync(string what, int partitions)
    {
        var topic = NewName(what);
        if (_embedded is not null)
        {
            _embedded.CreateTopic(topic, partitions);
            _partitions.Add(topic, partitions);
            return topic;
        }

        using var admin = Admin();
        await admin.CreateTopicsAsync([new TopicSpecification { Name = topic, NumPartitions = partitions, ReplicationFactor = -1 }],
            new CreateTopicsOptions { RequestTimeout = Timeout });
        _partitions.Add(topic, partitions);
        return topic;
    }

    /// <summary>
    /// How many messages this topic ever got. Messages are acknowledged once they are in the log, so a send without a broker's write shows here.
    /// </summary>
    public long CountWritten(string topic)
    {
        using var consumer = new ConsumerBuilder<Ignore, Ignore>(new ConsumerConfig { BootstrapServers = Brokers, GroupId = "narad-bench" }).Build();
        return Enumerable.Range(0, _partitions[topic])
            .Sum(partition => consumer.QueryWatermarkOffsets(new TopicPartition(topic, partition), Timeout).High.Value);
    }

    public KafkaOptions Options(TimeSpan? linger = null) => new()
    {
        Mode = KafkaMode.Kafka,
        Brokers = Brokers,
        ClientId = "narad-bench",
        Linger = linger ?? TimeSpan.FromMilliseconds(5),
    };

    /// <summary>The bare producer: acknowledgements, idempotence, partitioner and linger as ours; reports whole, as the client gives them by default.</summary>
    public IProducer<string, byte[]> NewProducer(TimeSpan? linger = null)
    {
        var config = new ClientSettings(Options(linger), Brokers, embedded: false).Producer();
        config.DeliveryReportFields = "all";
        return new ProducerBuilder<string, byte[]>(config).Build();
    }

    /// <summary>A bare consumer that prefetches as ours do. It stores and commits by itself, as the client does by default.</summary>
    public IConsumer<byte[]?, byte[]> NewConsumer()
    {
        var config = new ClientSettings(Options(), Brokers, embedded: false).Consumer(NewName("bare"));
        config.AutoOffsetReset = AutoOffsetReset.Earliest;
        config.EnableAutoOffsetStore = true;
        config.EnablePartitionEof = false;
        return Build(config);
    }

    /// <summary>
    /// A bare consumer with the client's own settings, which prefetch up to 100,000 messages. It continues <paramref name="queueBackoff"/> milliseconds after
    /// its queue was full: 1,000 by default, 10 in a consumer that is tuned for throughput.
    /// </summary>
    public IConsumer<byte[]?, byte[]> NewConsumer(int queueBackoff)
    {
        var config = new ConsumerConfig { BootstrapServers = Brokers, GroupId = NewName("bare"), AutoOffsetReset = AutoOffsetReset.Earliest };
        config.Set("fetch.queue.backoff.ms", queueBackoff.ToString(CultureInfo.InvariantCulture));
        return Build(config);
    }

    public async ValueTask DisposeAsync()
    {
        if (_embedded is not null)
        {
            _embedded.Dispose();
        }
        else if (_partitions.Count > 0)
        {
            using var admin = Admin();
            await admin.DeleteTopicsAsync(_partitions.Keys);
        }
    }

    private static IConsumer<byte[]?, byte[]> Build(ConsumerConfig config) =>
        new ConsumerBuilder<byte[]?, byte[]>(config).SetKeyDeserializer(Deserializers.ByteArray!).Build();

    private IAdminClient Admin() =>
        new AdminClientBuilder(new AdminClientConfig { BootstrapServers = Brokers }).SetLogHandler(static (_, _) => { }).Build();
}
