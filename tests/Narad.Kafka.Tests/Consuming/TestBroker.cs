using System.Text;
using Confluent.Kafka;
using Confluent.Kafka.Admin;
using Narad.Kafka.Clients.Interop;

namespace Narad.Kafka.Tests.Consuming;

/// <summary>
/// A broker that a contract is proved on, and a bare client's view of it: what a group committed is read as another program would read it.
/// </summary>
public abstract class TestBroker : IDisposable
{
    private readonly Dictionary<string, IConsumer<byte[], byte[]>> _clients = new(StringComparer.Ordinal);
    private IProducer<byte[]?, byte[]?>? _producer;

    /// <summary>The address; skips the test where there is none.</summary>
    public abstract string Brokers { get; }

    /// <summary>The shortest session that it allows. What does not wait for its end has <see cref="Session"/>.</summary>
    public abstract TimeSpan ShortestSession { get; }

    /// <summary>A session that a busy machine does not end. Members hear of a rebalance within a third of it.</summary>
    protected static TimeSpan Session { get; } = TimeSpan.FromSeconds(9);

    /// <summary>Whether it accepts commits while a group of this protocol rebalances.</summary>
    public virtual bool CommitsWhileRebalancing(KafkaGroupProtocol protocol) => true;

    public abstract KafkaOptions Options(Action<KafkaOptions>? configure = null);

    public abstract Task<string> CreateTopicAsync(int partitions);

    /// <summary>A topic of one partition that takes no larger messages; the embedded broker refuses the next ones as if it were one.</summary>
    public abstract Task<string> CreateSmallTopicAsync(int maxMessageBytes);

    public abstract Task RecreateTopicAsync(string topic, int partitions);

    public abstract Task DeleteRecordsAsync(string topic, int partition, long before);

    /// <summary>Takes the group's only member out of it: it learns so from its next heartbeat.</summary>
    public abstract Task EvictAsync(string group, KafkaGroupProtocol protocol);

    /// <summary>Skips the test where a member of such a group cannot be taken out.</summary>
    public virtual void SkipUnlessItEvicts(KafkaGroupProtocol protocol)
    {
        // The embedded broker takes out any member.
    }

    /// <summary>Lets another process take over a static identity (classic protocol).</summary>
    public abstract Task TakeOverAsync(string group, string topic, string instance);

    public string NewGroup() => RealKafka.NewName("group");

    public async Task<KafkaService> StartAsync(string group, Action<KafkaOptions>? configure = null)
    {
        var service = new KafkaService(Options(configure));
        await service.ConnectConsumerAsync(group);
        return service;
    }

    /// <summary>Makes the next writes to a topic fail (on the embedded broker: all writes), until the task that it returns has been called for.</summary>
    public abstract Task<Func<Task>> RefuseWritesAsync(string topic);

    /// <summary>Sends to one partition, in order; acknowledged when it completes.</summary>
    public async Task SendAsync(string topic, int partition, IEnumerable<(string? Key, string Value)> messages)
    {
        await Task.WhenAll(messages.Select(message => SendRawAsync(
            topic,
            partition,
            new Message<byte[]?, byte[]?> { Key = message.Key is null ? null
                : Encoding.UTF8.GetBytes(message.Key), Value = Encoding.UTF8.GetBytes(message.Value) })).ToList());
    }

    public Task SendRawAsync(string topic, int partition, Message<byte[]?, byte[]?> message)
    {
        _producer ??= new ProducerBuilder<byte[]?, byte[]?>(
            new ProducerConfig { BootstrapServers = Brokers, LingerMs = 1, EnableIdempotence = true, Acks = Acks.All }).SetLogHandler((_, _) => { }).Build();
        return _producer.ProduceAsync(new TopicPartition(topic, partition), message);
    }

    /// <summary>Everything that a topic holds, per partition in offset order; waits until it is as much as expected.</summary>
    public List<ConsumeResult<byte[]?, byte[]?>> ReadAll(string topic, int expected)
    {
        using var reader = new ConsumerBuilder<byte[]?, byte[]?>(new ConsumerConfig
        {
            BootstrapServers = Brokers,
            GroupId = NewGroup(),
            AutoOffsetReset = AutoOffsetReset.Earliest,
            EnableAutoCommit = false,
        }).SetLogHandler((_, _) => { }).Build();
        reader.Subscribe(topic);
        var found = new List<ConsumeResult<byte[]?, byte[]?>>();
        var until = DateTime.UtcNow + Waiting.Deadline;
        while (found.Count < expected && DateTime.UtcNow < until)
        {
            if (reader.Consume(TimeSpan.FromMilliseconds(100)) is { } result)
            {
                found.Add(result);
            }
        }

        // What should not be there would come now.
        while (reader.Consume(TimeSpan.FromMilliseconds(300)) is { } more)
        {
            found.Add(more);
        }

        reader.Close();
        return [.. found.OrderBy(result => result.Partition.Value).ThenBy(result => result.Offset.Value)];
    }

    public Task SendAsync(string topic, int partition, int count, Func<int, string?>? key = null, int from = 0) =>
        SendAsync(topic, partition, Enumerable.Range(from, count).Select(n => ((key ?? (static n => $"k{n}"))(n), $"{n}")));

    /// <summary>What the group committed; −1 for nothing.</summary>
    public long Committed(string group, string topic, int partition)
    {
        var offset = Client(group).Committed([new TopicPartition(topic, partition)], TimeSpan.FromSeconds(10))[0].Offset;
        return offset.IsSpecial ? -1 : offset.Value;
    }

    public Task CommittedReaches(string group, string topic, int partition, long offset) =>
        Waiting.Until(() => Committed(group, topic, partition) >= offset, $"group committed {offset} of {topic}[{partition}]");

    /// <summary>Commits for a group that has no member.</summary>
    public void Commit(string group, string topic, int partition, long offset)
    {
        Client(group).Commit([new TopicPartitionOffset(topic, partition, offset)]);
    }

    /// <summary>What the group committed, with its metadata; null for nothing.</summary>
    internal CommittedOffset? CommittedWithMetadata(string group, string topic, int partition) =>
        LibrdkafkaOffsets.Committed(Client(group).Handle, [new TopicPartition(topic, partition)], TimeSpan.FromSeconds(10))
            .TryGetValue(new TopicPartition(topic, partition), out var committed) ? committed : null;

    /// <summary>As <see cref="Commit(string, string, int, long)"/>, with metadata.</summary>
    internal void Commit(string group, string topic, int partition, long offset, string metadata) =>
        LibrdkafkaOffsets.Commit(Client(group).Handle, [(new TopicPartitionOffset(topic, partition, offset), metadata)], wait: true);

    public virtual void Dispose()
    {
        _producer?.Dispose();
        foreach (var client in _clients.Values)
        {
            client.Dispose();
        }

        GC.SuppressFinalize(this);
    }

    // One for each group, as offsets are asked for again and again. It never joins the group.
    private IConsumer<byte[], byte[]> Client(string group)
    {
        lock (_clients)
        {
            if (!_clients.TryGetValue(group, out var client))
            {
                var config = new ConsumerConfig { BootstrapServers = Brokers, GroupId = group, EnableAutoCommit = false };
                client = new ConsumerBuilder<byte[], byte[]>(config).SetLogHandler((_, _) => { }).Build();
                _clients.Add(group, client);
            }

            return client;
        }
    }
}

public sealed class EmbeddedTestBroker : TestBroker
{
    public EmbeddedBroker Broker { get; } = EmbeddedBroker.Start();

    public override string Brokers => Broker.BootstrapServers;

    public override TimeSpan ShortestSession => TimeSpan.FromSeconds(6);

    public override bool CommitsWhileRebalancing(KafkaGroupProtocol protocol) => protocol is KafkaGroupProtocol.Consumer;

    public override KafkaOptions Options(Action<KafkaOptions>? configure = null)
    {
        var options = new KafkaOptions { Mode = KafkaMode.Embedded, EmbeddedBroker = Broker, CommitInterval = TimeSpan.FromMilliseconds(50),
            ShutdownTimeout = TimeSpan.FromSeconds(10), SessionTimeout = Session };
        configure?.Invoke(options);
        return options;
    }

    public override Task<string> CreateTopicAsync(int partitions)
    {
        var name = RealKafka.NewName("topic");
        Broker.CreateTopic(name, partitions);
        return Task.FromResult(name);
    }

    public override Task<string> CreateSmallTopicAsync(int maxMessageBytes)
    {
        // One by one as well as together, each time.
        Broker.FailNext(KafkaRequest.Produce, ErrorCode.NoError, ErrorCode.MsgSizeTooLarge, ErrorCode.MsgSizeTooLarge, ErrorCode.MsgSizeTooLarge);
        return CreateTopicAsync(1);
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

    public override Task<Func<Task>> RefuseWritesAsync(string topic)
    {
        Broker.FailNext(KafkaRequest.Produce, [.. Enumerable.Repeat(ErrorCode.TopicAuthorizationFailed, 1_000)]);
        return Task.FromResult<Func<Task>>(() =>
        {
            Broker.ClearFailures(KafkaRequest.Produce);
            return Task.CompletedTask;
        });
    }

    public override Task EvictAsync(string group, KafkaGroupProtocol protocol)
    {
        Broker.FailNext(protocol is KafkaGroupProtocol.Classic ? KafkaRequest.Heartbeat : KafkaRequest.ConsumerGroupHeartbeat, ErrorCode.UnknownMemberId);
        return Task.CompletedTask;
    }

    public override Task TakeOverAsync(string group, string topic, string instance)
    {
        Broker.FailNext(KafkaRequest.Heartbeat, ErrorCode.FencedInstanceId);
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
        var options = new KafkaOptions { Mode = KafkaMode.Kafka, Brokers = Brokers, CommitInterval = TimeSpan.FromMilliseconds(50),
            ShutdownTimeout = TimeSpan.FromSeconds(10), SessionTimeout = Session };
        options.ClientProperties["topic.metadata.refresh.interval.ms"] = "1000";
        options.ClientProperties["topic.metadata.propagation.max.ms"] = "1000";
        configure?.Invoke(options);
        return options;
    }

    public override Task<string> CreateTopicAsync(int partitions) => RealKafka.CreateTopicAsync(partitions);

    public override async Task<string> CreateSmallTopicAsync(int maxMessageBytes)
    {
        var name = RealKafka.NewName("small");
        using var admin = Admin();
        await admin.CreateTopicsAsync([new TopicSpecification { Name = name, NumPartitions = 1,
            Configs = new Dictionary<string, string>(StringComparer.Ordinal) { ["max.message.bytes"] = $"{maxMessageBytes}" } }]);
        await RealKafka.SeenAsync(admin, name, 1);
        return name;
    }

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
        await RealKafka.SeenAsync(admin, topic, partitions);
    }

    public override async Task DeleteRecordsAsync(string topic, int partition, long before)
    {
        using var admin = Admin();
        await admin.DeleteRecordsAsync([new TopicPartitionOffset(topic, partition, before)]);
    }

    /// <summary>A topic whose name was known before it.</summary>
    public async Task CreateTopicAsync(string name, int partitions)
    {
        using var admin = Admin();
        await admin.CreateTopicsAsync([new TopicSpecification { Name = name, NumPartitions = partitions }]);
    }

    public async Task AddPartitionsAsync(string topic, int partitions)
    {
        using var admin = Admin();
        await admin.CreatePartitionsAsync([new PartitionsSpecification { Topic = topic, IncreaseTo = partitions }]);
        await RealKafka.SeenAsync(admin, topic, partitions);
    }

    public override async Task<Func<Task>> RefuseWritesAsync(string topic)
    {
        using var admin = Admin();
        await admin.DeleteTopicsAsync([topic]);
        return async () =>
        {
            using var again = Admin();
            await again.CreateTopicsAsync([new TopicSpecification { Name = topic, NumPartitions = 1 }]);
        };
    }

    public override void SkipUnlessItEvicts(KafkaGroupProtocol protocol) =>
        Skip.If(protocol is KafkaGroupProtocol.Consumer, "No request takes another member out of a group of the next protocol.");

    // No client of .NET sends it for another member.
    public override async Task EvictAsync(string group, KafkaGroupProtocol protocol)
    {
        SkipUnlessItEvicts(protocol);
        var member = (await BrokerRequest.MembersOfAsync(Brokers, group, protocol)).Single();
        await BrokerRequest.LeaveAsync(Brokers, group, member);
    }

    public override async Task TakeOverAsync(string group, string topic, string instance)
    {
        using var other = new ConsumerBuilder<byte[], byte[]>(new ConsumerConfig
        {
            BootstrapServers = Brokers,
            GroupId = group,
            GroupInstanceId = instance,
            EnableAutoCommit = false,
            PartitionAssignmentStrategy = PartitionAssignmentStrategy.CooperativeSticky,
        }).SetLogHandler((_, _) => { }).Build();
        other.Subscribe(topic);
        await Waiting.Until(
            () =>
            {
                other.Consume(TimeSpan.FromMilliseconds(50));
                return other.Assignment.Count > 0;
            },
            "the other process has the partitions");
    }

    /// <summary>Behind the last message that can be read.</summary>
    public async Task<long> EndOfAsync(string topic, int partition)
    {
        using var admin = Admin();
        var found = await admin.ListOffsetsAsync([new TopicPartitionOffsetSpec { TopicPartition = new TopicPartition(topic, partition),
            OffsetSpec = OffsetSpec.Latest() }]);
        return found.ResultInfos[0].TopicPartitionOffsetError.Offset.Value;
    }

    private IAdminClient Admin() => new AdminClientBuilder(new AdminClientConfig { BootstrapServers = Brokers }).SetLogHandler((_, _) => { }).Build();
}
