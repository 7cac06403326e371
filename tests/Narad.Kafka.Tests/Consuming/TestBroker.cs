using System.Text;
using Confluent.Kafka;
using Confluent.Kafka.Admin;

namespace Narad.Kafka.Tests.Consuming;

/// <summary>
/// A broker that a contract is proved on, and a bare client's view of it: what a group committed is read as another program would read it.
/// </summary>
public abstract class TestBroker : IDisposable
{
    private IProducer<byte[]?, byte[]?>? _producer;

    /// <summary>The address; skips the test where there is none.</summary>
    public abstract string Brokers { get; }

    /// <summary>The shortest session that it allows.</summary>
    public abstract TimeSpan ShortestSession { get; }

    /// <summary>Whether it accepts commits while a group of this protocol rebalances.</summary>
    public virtual bool CommitsWhileRebalancing(KafkaGroupProtocol protocol) => true;

    public abstract KafkaOptions Options(Action<KafkaOptions>? configure = null);

    public abstract Task<string> CreateTopicAsync(int partitions);

    public abstract Task RecreateTopicAsync(string topic, int partitions);

    public abstract Task DeleteRecordsAsync(string topic, int partition, long before);

    public string NewGroup() => RealKafka.NewName("group");

    public async Task<KafkaService> StartAsync(string group, Action<KafkaOptions>? configure = null)
    {
        var service = new KafkaService(Options(configure));
        await service.ConnectConsumerAsync(group);
        return service;
    }

    /// <summary>Sends to one partition, in order; acknowledged when it completes.</summary>
    public async Task SendAsync(string topic, int partition, IEnumerable<(string? Key, string Value)> messages)
    {
        _producer ??= new ProducerBuilder<byte[]?, byte[]?>(new ProducerConfig { BootstrapServers = Brokers, LingerMs = 1, EnableIdempotence = true, Acks = Acks.All }).SetLogHandler((_, _) => { }).Build();
        await Task.WhenAll(messages.Select(message => _producer.ProduceAsync(
            new TopicPartition(topic, partition),
            new Message<byte[]?, byte[]?> { Key = message.Key is null ? null : Encoding.UTF8.GetBytes(message.Key), Value = Encoding.UTF8.GetBytes(message.Value) })).ToList());
    }

    public Task SendAsync(string topic, int partition, int count, Func<int, string?>? key = null, int from = 0) =>
        SendAsync(topic, partition, Enumerable.Range(from, count).Select(n => ((key ?? (static n => $"k{n}"))(n), $"{n}")));

    /// <summary>What the group committed; −1 for nothing.</summary>
    public long Committed(string group, string topic, int partition)
    {
        using var reader = Reader(group);
        var offset = reader.Committed([new TopicPartition(topic, partition)], TimeSpan.FromSeconds(10))[0].Offset;
        return offset.IsSpecial ? -1 : offset.Value;
    }

    public Task CommittedReaches(string group, string topic, int partition, long offset) =>
        Waiting.Until(() => Committed(group, topic, partition) >= offset, $"group committed {offset} of {topic}[{partition}]");

    /// <summary>Commits for a group that has no member.</summary>
    public void Commit(string group, string topic, int partition, long offset)
    {
        using var writer = Reader(group);
        writer.Commit([new TopicPartitionOffset(topic, partition, offset)]);
    }

    public virtual void Dispose()
    {
        _producer?.Dispose();
        GC.SuppressFinalize(this);
    }

    private IConsumer<byte[], byte[]> Reader(string group) =>
        new ConsumerBuilder<byte[], byte[]>(new ConsumerConfig { BootstrapServers = Brokers, GroupId = group, EnableAutoCommit = false }).SetLogHandler((_, _) => { }).Build();
}

public sealed class EmbeddedTestBroker : TestBroker
{
    public EmbeddedBroker Broker { get; } = EmbeddedBroker.Start();

    public override string Brokers => Broker.BootstrapServers;

    public override TimeSpan ShortestSession => TimeSpan.FromSeconds(6);

    public override bool CommitsWhileRebalancing(KafkaGroupProtocol protocol) => protocol is KafkaGroupProtocol.Consumer;

    public override KafkaOptions Options(Action<KafkaOptions>? configure = null)
    {
        var options = new KafkaOptions { Mode = KafkaMode.Embedded, EmbeddedBroker = Broker, CommitInterval = TimeSpan.FromMilliseconds(50), ShutdownTimeout = TimeSpan.FromSeconds(10), SessionTimeout = ShortestSession };
        configure?.Invoke(options);
        return options;
    }

    public override Task<string> CreateTopicAsync(int partitions)
    {
        var name = RealKafka.NewName("topic");
        Broker.CreateTopic(name, partitions);
        return Task.FromResult(name);
    }

    public override Task RecreateTopicAsync(string topic, int partitions)
    {
        Broker.DeleteTopic(topic);
        Broker.CreateTopic(topic, partitions);
        return Task.CompletedTask;
    }

    public override Task DeleteRecordsAsync(string topic, int partition, long before)
    {
        Broker.DeleteRecords(topic, partition, before);
        return Task.CompletedTask;
    }

    public override void Dispose()
    {
        base.Dispose();
        Broker.Dispose();
    }
}

public sealed class KafkaTestBroker : TestBroker
{
    public override string Brokers => RealKafka.Brokers;

    public override TimeSpan ShortestSession => TimeSpan.FromSeconds(3);

    public override KafkaOptions Options(Action<KafkaOptions>? configure = null)
    {
        var options = new KafkaOptions { Mode = KafkaMode.Kafka, Brokers = Brokers, CommitInterval = TimeSpan.FromMilliseconds(50), ShutdownTimeout = TimeSpan.FromSeconds(10), SessionTimeout = ShortestSession };
        options.Client["topic.metadata.refresh.interval.ms"] = "1000";
        configure?.Invoke(options);
        return options;
    }

    public override Task<string> CreateTopicAsync(int partitions) => RealKafka.CreateTopicAsync(partitions);

    public override async Task RecreateTopicAsync(string topic, int partitions)
    {
        using var admin = Admin();
        await admin.DeleteTopicsAsync([topic]);
        await Waiting.Until(
            () =>
            {
                try
                {
                    admin.CreateTopicsAsync([new TopicSpecification { Name = topic, NumPartitions = partitions }]).GetAwaiter().GetResult();
                    return true;
                }
                catch (CreateTopicsException)
                {
                    return false;
                }
            },
            $"{topic} is created again");
    }

    public override async Task DeleteRecordsAsync(string topic, int partition, long before)
    {
        using var admin = Admin();
        await admin.DeleteRecordsAsync([new TopicPartitionOffset(topic, partition, before)]);
    }

    private IAdminClient Admin() => new AdminClientBuilder(new AdminClientConfig { BootstrapServers = Brokers }).SetLogHandler((_, _) => { }).Build();
}
