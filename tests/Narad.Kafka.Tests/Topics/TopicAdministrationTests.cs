using System.Diagnostics;
using Narad.Kafka.Diagnostics;
using Narad.Kafka.Shared;
using Narad.Kafka.Tests.Service;
using Narad.Kafka.Transports;

namespace Narad.Kafka.Tests.Topics;

/// <summary>Topics are inspected, changed and deleted the same way on each transport; the real one where NARAD_TEST_KAFKA names it.</summary>
public sealed class TopicAdministrationTests : IDisposable
{
    private readonly EmbeddedBroker _broker = EmbeddedBroker.Start();

    public void Dispose() => _broker.Dispose();

    [SkippableFact]
    public async Task A_topic_is_inspected_with_its_settings_and_those_made_for_it()
    {
        await using var transport = Connect(KafkaMode.Kafka);
        var (plain, special) = (RealKafka.NewName("plain"), RealKafka.NewName("special"));
        await transport.Topics.CreateIfNotExistsAsync(
        [
            new TopicSpec(plain, 2, 1),
            new TopicSpec(special, 3, 1, new Dictionary<string,
                string> { ["retention.ms"] = "-1", ["cleanup.policy"] = "compact,delete", ["max.message.bytes"] = "4096" }),
        ]);

        var usual = await transport.Topics.GetDetailsAsync(plain);
        usual.Should().BeEquivalentTo(new { Name = plain, Partitions = 2, ReplicationFactor = 1, CleanupPolicy = TopicCleanupPolicy.Delete });
        usual!.MaxMessageBytes.Should().BeGreaterThan(4_096, "the cluster's own value holds for it");
        usual.Settings.Should().BeEmpty();

        var found = await transport.Topics.GetDetailsAsync(special);
        found.Should()
            .BeEquivalentTo(
                new { Name = special, Partitions = 3, ReplicationFactor = 1, Retention = (TimeSpan?)null, MaxMessageBytes = 4_096,
                    CleanupPolicy = TopicCleanupPolicy.Compact | TopicCleanupPolicy.Delete });
        found!.Settings.Should()
            .BeEquivalentTo(new Dictionary<string, string> { ["retention.ms"] = "-1", ["cleanup.policy"] = "compact,delete", ["max.message.bytes"] = "4096" });

        (await transport.Topics.GetDetailsAsync(RealKafka.NewName("missing"))).Should().BeNull();
    }

    [SkippableFact]
    public async Task Setting_the_retention_leaves_the_other_settings_as_they_are()
    {
        await using var transport = Connect(KafkaMode.Kafka);
        var topic = RealKafka.NewName("retained");
        await transport.Topics.CreateIfNotExistsAsync([new TopicSpec(topic, 1, Settings: new Dictionary<string, string> { ["max.message.bytes"] = "4096" })]);

        await transport.Topics.SetRetentionAsync(topic, TimeSpan.FromHours(2));
        await RetentionIs(transport, topic, TimeSpan.FromHours(2));
        await transport.Topics.SetRetentionAsync(topic, retention: null);
        await RetentionIs(transport, topic, retention: null);

        (await transport.Topics.GetDetailsAsync(topic))!.MaxMessageBytes.Should().Be(4_096);
        (await transport.Topics.Awaiting(topics => topics.SetRetentionAsync(RealKafka.NewName("missing"), null)).Should().ThrowAsync<KafkaTopicException>())
            .WithMessage("*missing*does not exist*");
    }

    [SkippableTheory]
    [InlineData(KafkaMode.Embedded)]
    [InlineData(KafkaMode.Kafka)]
    [InlineData(KafkaMode.Console)]
    [Trait("Trap", "mock-administration-hangs")]
    public async Task Deleted_topics_are_gone_when_the_call_completes_and_others_stay(KafkaMode mode)
    {
        await using var transport = Connect(mode);
        var (one, other, kept, missing) = (RealKafka.NewName("one"), RealKafka.NewName("other"), RealKafka.NewName("kept"), RealKafka.NewName("missing"));
        await transport.Topics.CreateIfNotExistsAsync([new TopicSpec(one, 2), new TopicSpec(other, 2), new TopicSpec(kept, 2)]);

        (await transport.Topics.DeleteAsync([one, missing, other, one])).Should().BeEquivalentTo(one, other);

        (await transport.Topics.GetPartitionCountsAsync([one, other, kept, missing])).Keys.Should().Equal(kept);
        (await transport.Topics.DeleteAsync([one])).Should().BeEmpty();
        (await transport.Topics.DeleteAsync([])).Should().BeEmpty();
        await transport.Topics.CreateIfNotExistsAsync([new TopicSpec(one, 3)]);
        (await transport.Topics.GetDetailsAsync(one))!.Partitions.Should().Be(3);
    }

    [Fact]
    [Trait("Trap", "mock-administration-hangs")]
    public async Task The_embedded_broker_s_topics_are_inspected_as_far_as_it_knows_and_their_retention_is_refused_at_once()
    {
        await using var transport = Connect(KafkaMode.Embedded);
        await transport.Topics.CreateIfNotExistsAsync([new TopicSpec("kept", 3)]);

        (await transport.Topics.GetDetailsAsync("kept")).Should()
            .BeEquivalentTo(
                new { Name = "kept", Partitions = 3, ReplicationFactor = 1, Retention = (TimeSpan?)null, MaxMessageBytes = (int?)null,
                    CleanupPolicy = TopicCleanupPolicy.Delete });
        (await transport.Topics.GetDetailsAsync("missing")).Should().BeNull();
        _broker.Topics.Should().NotContainKey("missing");
        _broker.StopBroker();
        await transport.Topics.Awaiting(topics => topics.SetRetentionAsync("kept", TimeSpan.FromHours(1))).Should().ThrowAsync<NotSupportedException>()
            .WithMessage("*kept*embedded broker*");
    }

    [Fact]
    [Trait("Trap", "mock-administration-hangs")]
    public async Task Another_process_s_embedded_broker_refuses_administration_clearly_and_at_once()
    {
        _broker.CreateTopic("theirs", 3);
        await using var transport = Transport.For(KafkaMode.Kafka, new KafkaOptions { Brokers = _broker.BootstrapServers }, new KafkaDiagnostics());
        using var stalls = new Stalls();
        var watch = Stopwatch.StartNew();
        await transport.Topics.Awaiting(topics => topics.GetDetailsAsync("theirs")).Should().ThrowAsync<NotSupportedException>()
            .WithMessage("*theirs*embedded broker*");
        await transport.Topics.Awaiting(topics => topics.SetRetentionAsync("theirs", null)).Should().ThrowAsync<NotSupportedException>()
            .WithMessage("*theirs*embedded broker*");
        await transport.Topics.Awaiting(topics => topics.DeleteAsync(["theirs"])).Should().ThrowAsync<NotSupportedException>()
            .WithMessage("*theirs*embedded broker*");
        watch.Elapsed.Should().BeLessThan(TimeSpan.FromSeconds(5) + stalls.Allowance);
        (await transport.Topics.GetPartitionCountsAsync(["theirs"])).Should().ContainKey("theirs");
    }

    [SkippableTheory]
    [InlineData(KafkaMode.Embedded)]
    [InlineData(KafkaMode.Kafka)]
    public async Task A_broker_that_is_away_is_reported_within_the_time_to_connect(KafkaMode mode)
    {
        var options = new KafkaOptions { EmbeddedBroker = _broker, Brokers = _broker.BootstrapServers, ConnectTimeout = TimeSpan.FromMilliseconds(500) };
        await using var transport = Transport.For(mode, options, new KafkaDiagnostics());
        _broker.StopBroker();
        using var stalls = new Stalls();
        var watch = Stopwatch.StartNew();
        await transport.Topics.Awaiting(topics => topics.GetDetailsAsync("t")).Should().ThrowAsync<KafkaTopicException>()
            .WithMessage("*t could not be looked at*500 ms*");
        watch.Elapsed.Should().BeLessThan(TimeSpan.FromSeconds(3) + stalls.Allowance);
        await transport.Topics.Awaiting(topics => topics.DeleteAsync(["t"])).Should().ThrowAsync<KafkaTopicException>()
            .WithMessage("*t could not be looked at*500 ms*");
        if (mode is KafkaMode.Kafka)
        {
            await transport.Topics.Awaiting(topics => topics.SetRetentionAsync("t", null)).Should().ThrowAsync<KafkaTopicException>()
                .WithMessage("*retention of topic t could not be set*500 ms*");
        }
    }

    [Theory]
    [InlineData(KafkaMode.Embedded)]
    [InlineData(KafkaMode.Kafka)]
    [InlineData(KafkaMode.Console)]
    public async Task Illegal_names_and_retentions_are_refused_before_the_broker_is_asked(KafkaMode mode)
    {
        _broker.StopBroker();
        await using var transport = Transport.For(
            mode, new KafkaOptions { EmbeddedBroker = _broker, Brokers = _broker.BootstrapServers }, new KafkaDiagnostics());
        await transport.Topics.Awaiting(topics => topics.GetDetailsAsync("not legal")).Should().ThrowAsync<ArgumentException>();
        await transport.Topics.Awaiting(topics => topics.SetRetentionAsync("not legal", null)).Should().ThrowAsync<ArgumentException>();
        await transport.Topics.Awaiting(topics => topics.SetRetentionAsync("t", TimeSpan.Zero)).Should().ThrowAsync<ArgumentOutOfRangeException>()
            .WithMessage("*1 ms*null for unlimited*");
        await transport.Topics.Awaiting(topics => topics.SetRetentionAsync("t", TimeSpan.FromHours(-1))).Should().ThrowAsync<ArgumentOutOfRangeException>();
        await transport.Topics.Awaiting(topics => topics.DeleteAsync(["^orders"])).Should().ThrowAsync<ArgumentException>().WithMessage("*pattern*");
        await transport.Topics.Awaiting(topics => topics.DeleteAsync(["t"], new CancellationToken(canceled: true))).Should()
            .ThrowAsync<OperationCanceledException>();
    }

    [Fact]
    public async Task In_Console_what_was_asked_for_is_remembered_and_logged()
    {
        var log = new LogEvents();
        await using var transport = Transport.For(KafkaMode.Console, new KafkaOptions(), new KafkaDiagnostics(log));
        await transport.Topics.CreateIfNotExistsAsync([new TopicSpec("t", 3, Settings: new Dictionary<string, string> { ["retention.ms"] = "1000" })]);
        (await transport.Topics.GetDetailsAsync("t"))!.Retention.Should().Be(TimeSpan.FromSeconds(1));
        await transport.Topics.SetRetentionAsync("t", null);
        (await transport.Topics.GetDetailsAsync("t")).Should().BeEquivalentTo(new { Partitions = 3, Retention = (TimeSpan?)null });
        await transport.Topics.DeleteAsync(["t"]);
        (await transport.Topics.GetDetailsAsync("t")).Should().BeNull();
        log.Count(6004).Should().Be(1);
        log.Count(6006).Should().Be(1);
    }

    [Fact]
    public async Task The_service_s_own_takes_logical_names()
    {
        await using var kafka = new KafkaService(
            new KafkaOptions { Mode = KafkaMode.Embedded, EmbeddedBroker = _broker, TopicNames = { ["orders"] = "prod.orders" } });
        await kafka.Topics.CreateIfNotExistsAsync([new TopicSpec("orders", 2)]);
        (await kafka.Topics.GetDetailsAsync("orders"))!.Name.Should().Be("prod.orders");
        await kafka.Topics.Awaiting(topics => topics.SetRetentionAsync("orders", null)).Should().ThrowAsync<NotSupportedException>()
            .WithMessage("*prod.orders*");
        (await kafka.Topics.DeleteAsync(["orders", "missing"])).Should().Equal("orders");
        _broker.Topics.Should().BeEmpty();
    }

    private static async Task RetentionIs(ITransport transport, string topic, TimeSpan? retention)
    {
        var started = Stopwatch.GetTimestamp();
        while ((await transport.Topics.GetDetailsAsync(topic))!.Retention != retention)
        {
            Stopwatch.GetElapsedTime(started).Should().BeLessThan(Waiting.Deadline);
            await Task.Delay(TimeSpan.FromMilliseconds(20));
        }
    }

    private ITransport Connect(KafkaMode mode)
    {
        var options = new KafkaOptions { EmbeddedBroker = _broker };
        if (mode == KafkaMode.Kafka)
        {
            options.Brokers = RealKafka.Brokers;
        }

        return Transport.For(mode, options, new KafkaDiagnostics());
    }
}
