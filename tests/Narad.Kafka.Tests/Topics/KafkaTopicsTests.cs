using System.Diagnostics;
using Confluent.Kafka;
using Narad.Kafka.Diagnostics;
using Narad.Kafka.Shared;
using Narad.Kafka.Transports;

namespace Narad.Kafka.Tests.Topics;

/// <summary>Topics are ensured and described the same way on each transport; the real one where NARAD_TEST_KAFKA names it.</summary>
public sealed class KafkaTopicsTests : IDisposable
{
    private readonly EmbeddedBroker _broker = EmbeddedBroker.Start();

    public void Dispose() => _broker.Dispose();

    [SkippableTheory]
    [InlineData(KafkaMode.Embedded)]
    [InlineData(KafkaMode.Kafka)]
    [InlineData(KafkaMode.Console)]
    [Trait("Trap", "mock-administration-hangs")]
    public async Task Ensured_topics_are_described_and_ensuring_again_changes_nothing(KafkaMode mode)
    {
        await using var transport = Connect(mode, options => options.TopicPartitions = 3);
        var (one, other, missing) = (RealKafka.NewName("one"), RealKafka.NewName("other"), RealKafka.NewName("missing"));
        await transport.Topics.CreateIfNotExistsAsync([new TopicSpec(one), new TopicSpec(other, Partitions: 5)]);
        await transport.Topics.CreateIfNotExistsAsync([new TopicSpec(one, Partitions: 3), new TopicSpec(one, Partitions: 3), new TopicSpec(other)]);

        var found = await transport.Topics.GetPartitionCountsAsync([one, other, missing, one]);
        found.Should().BeEquivalentTo(new Dictionary<string, int> { [one] = 3, [other] = 5 });
    }

    [SkippableTheory]
    [InlineData(KafkaMode.Embedded)]
    [InlineData(KafkaMode.Kafka)]
    [InlineData(KafkaMode.Console)]
    public async Task Another_number_of_partitions_than_asked_for_is_reported(KafkaMode mode)
    {
        await using var transport = Connect(mode);
        var topic = RealKafka.NewName("narrow");
        await transport.Topics.CreateIfNotExistsAsync([new TopicSpec(topic, Partitions: 2)]);
        (await transport.Topics.Awaiting(topics => topics.CreateIfNotExistsAsync([new TopicSpec(topic, Partitions: 4)])).Should()
            .ThrowAsync<KafkaTopicException>())
            .WithMessage($"*{topic}*2 partitions*4 were asked for*").Which.Topic.Should().Be(topic);
    }

    [SkippableTheory]
    [InlineData(KafkaMode.Embedded)]
    [InlineData(KafkaMode.Kafka)]
    [Trait("Trap", "looking-creates-topics")]
    public async Task Describing_a_missing_topic_does_not_create_it(KafkaMode mode)
    {
        await using var transport = Connect(mode);
        var missing = RealKafka.NewName("missing");
        (await transport.Topics.GetPartitionCountsAsync([missing])).Should().BeEmpty();
        (await transport.Topics.GetPartitionCountsAsync([missing])).Should().BeEmpty();
        (await transport.ProbeAsync(TimeSpan.FromSeconds(5), default)).Should().BeTrue();

        using var observer = new AdminClientBuilder(new AdminClientConfig { BootstrapServers = transport.BootstrapServers }).SetLogHandler((_, _) => { })
            .Build();
        observer.GetMetadata(TimeSpan.FromSeconds(10)).Topics.Should().NotContain(topic => topic.Topic == missing);
    }

    [Fact]
    [Trait("Trap", "mock-administration-hangs")]
    public async Task Another_process_s_embedded_broker_is_looked_at_and_refuses_creation_at_once()
    {
        _broker.CreateTopic("theirs", 3);
        await using var transport = Transport.For(KafkaMode.Kafka, new KafkaOptions { Brokers = _broker.BootstrapServers }, new KafkaDiagnostics());
        (await transport.Topics.GetPartitionCountsAsync(["theirs", "missing"])).Should().BeEquivalentTo(new Dictionary<string, int> { ["theirs"] = 3 });
        using var stalls = new Stalls();
        var watch = Stopwatch.StartNew();
        await transport.Topics.Awaiting(topics => topics.CreateIfNotExistsAsync([new TopicSpec("missing")])).Should().ThrowAsync<NotSupportedException>()
            .WithMessage("*missing*embedded broker*");
        watch.Elapsed.Should().BeLessThan(TimeSpan.FromSeconds(5) + stalls.Allowance);
    }

    [Fact]
    [Trait("Trap", "mock-administration-hangs")]
    public async Task Topic_settings_are_refused_on_the_embedded_broker_before_anything_is_created()
    {
        await using var transport = Connect(KafkaMode.Embedded);
        var settings = new Dictionary<string, string> { ["retention.ms"] = "1000" };
        await transport.Topics.Awaiting(topics => topics.CreateIfNotExistsAsync([new TopicSpec("first"), new TopicSpec("kept", Settings: settings)]))
            .Should().ThrowAsync<NotSupportedException>().WithMessage("*kept*retention.ms*");
        _broker.Topics.Should().BeEmpty();
    }

    [SkippableFact]
    public async Task Topic_settings_reach_a_real_broker_and_a_wrong_one_is_reported_with_its_reason()
    {
        await using var transport = Connect(KafkaMode.Kafka);
        var topic = RealKafka.NewName("settings");
        await transport.Topics.CreateIfNotExistsAsync([new TopicSpec(topic, 1, Settings: new Dictionary<string, string> { ["retention.ms"] = "1000" })]);
        var wrong = RealKafka.NewName("wrong");
        await transport.Topics.Awaiting(topics =>
            topics.CreateIfNotExistsAsync([new TopicSpec(wrong, 1, Settings: new Dictionary<string, string> { ["no.such"] = "1" })]))
            .Should().ThrowAsync<KafkaTopicException>().WithMessage($"*{wrong}*no.such*");
        await transport.Topics.Awaiting(topics => topics.CreateIfNotExistsAsync([new TopicSpec(wrong, 1, ReplicationFactor: 99)]))
            .Should().ThrowAsync<KafkaTopicException>().WithMessage($"*{wrong}*");
    }

    [Theory]
    [InlineData(KafkaMode.Embedded)]
    [InlineData(KafkaMode.Console)]
    public async Task Illegal_names_and_numbers_are_refused_before_the_broker_is_asked(KafkaMode mode)
    {
        await using var transport = Connect(mode);
        _broker.StopBroker();
        await transport.Topics.Awaiting(topics => topics.CreateIfNotExistsAsync([new TopicSpec("not legal")])).Should().ThrowAsync<ArgumentException>();
        await transport.Topics.Awaiting(topics => topics.CreateIfNotExistsAsync([new TopicSpec("t", 0)])).Should().ThrowAsync<ArgumentException>()
            .WithMessage("*0 partitions*");
        await transport.Topics.Awaiting(topics => topics.CreateIfNotExistsAsync([new TopicSpec("t", ReplicationFactor: 0)])).Should()
            .ThrowAsync<ArgumentException>().WithMessage("*0 replicas*");
        await transport.Topics.Awaiting(topics => topics.CreateIfNotExistsAsync([new TopicSpec("t", 1), new TopicSpec("t", 2)])).Should()
            .ThrowAsync<ArgumentException>().WithMessage("*twice*");
        await transport.Topics.Awaiting(topics => topics.CreateIfNotExistsAsync(null!)).Should().ThrowAsync<ArgumentNullException>();
        await transport.Topics.Awaiting(topics => topics.GetPartitionCountsAsync(["^pattern"])).Should().ThrowAsync<ArgumentException>()
            .WithMessage("*pattern*");
        await transport.Topics.Awaiting(topics => topics.GetPartitionCountsAsync([null!])).Should().ThrowAsync<ArgumentNullException>();
        await transport.Topics.Awaiting(topics => topics.GetPartitionCountsAsync(["t"], new CancellationToken(canceled: true))).Should()
            .ThrowAsync<OperationCanceledException>();
    }

    [Fact]
    public async Task A_broker_that_is_away_is_reported_with_the_time_waited_and_the_client_s_reason()
    {
        await using var transport = Connect(KafkaMode.Embedded, options => options.ConnectTimeout = TimeSpan.FromMilliseconds(500));
        _broker.StopBroker();
        using var stalls = new Stalls();
        var watch = Stopwatch.StartNew();
        await transport.Topics.Awaiting(topics => topics.GetPartitionCountsAsync(["t"])).Should().ThrowAsync<KafkaTopicException>()
            .WithMessage("*t could not be looked at*500 ms*refused*");
        watch.Elapsed.Should().BeLessThan(TimeSpan.FromSeconds(3) + stalls.Allowance);
    }

    [Fact]
    public async Task Waiting_for_a_broker_that_is_away_can_be_cancelled()
    {
        await using var transport = Connect(KafkaMode.Embedded, options => options.ConnectTimeout = TimeSpan.FromSeconds(10));
        _broker.StopBroker();
        using var cancelling = new CancellationTokenSource(TimeSpan.FromMilliseconds(100));
        await transport.Topics.Awaiting(topics => topics.GetPartitionCountsAsync(["t"], cancelling.Token)).Should()
            .ThrowAsync<OperationCanceledException>();
    }

    private ITransport Connect(KafkaMode mode, Action<KafkaOptions>? configure = null)
    {
        var options = new KafkaOptions { EmbeddedBroker = _broker };
        if (mode == KafkaMode.Kafka)
        {
            options.Brokers = RealKafka.Brokers;
        }

        configure?.Invoke(options);
        return Transport.For(mode, options, new KafkaDiagnostics());
    }
}
