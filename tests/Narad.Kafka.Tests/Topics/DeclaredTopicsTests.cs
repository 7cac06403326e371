using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Narad.Kafka.Tests.Service;

namespace Narad.Kafka.Tests.Topics;

/// <summary>Topics that are declared are there as declared before anything reads or writes them; real Kafka where NARAD_TEST_KAFKA names it.</summary>
public sealed class DeclaredTopicsTests : IDisposable
{
    private readonly EmbeddedBroker _broker = EmbeddedBroker.Start();

    public void Dispose() => _broker.Dispose();

    [SkippableTheory]
    [InlineData(KafkaMode.Embedded)]
    [InlineData(KafkaMode.Kafka)]
    public async Task Five_instances_that_start_at_once_create_each_topic_once_and_log_no_error(KafkaMode mode)
    {
        _ = mode is KafkaMode.Kafka ? RealKafka.Brokers : null;
        var (orders, prices) = (RealKafka.NewName("orders"), RealKafka.NewName("prices"));
        var logs = Enumerable.Range(0, 5).Select(_ => new LogEvents()).ToList();
        var hosts = logs.ConvertAll(log => HostOf(mode, log, kafka => kafka
            .AddTopic(orders, partitions: 4, retention: TimeSpan.FromHours(24))
            .AddTopic(prices, partitions: 2, cleanupPolicy: TopicCleanupPolicy.Compact)
            .AddSubscription<string, Accept>(orders, group: orders)));

        await Task.WhenAll(hosts.Select(host => host.StartAsync()));

        var kafka = Service(hosts[0]);
        (await kafka.Topics.GetPartitionCountsAsync([orders, prices])).Should().BeEquivalentTo(new Dictionary<string, int> { [orders] = 4, [prices] = 2 });
        logs.Sum(log => log.Count(6001)).Should().Be(2, "whoever created a topic says so");
        logs.SelectMany(log => log.All).Where(line => line.Level >= LogLevel.Error || line.Id is >= 6030 and <= 6039 and not 6032)
            .Select(line => line.Message).Should().BeEmpty();
        if (mode is KafkaMode.Kafka)
        {
            (await kafka.Topics.GetDetailsAsync(orders))!.Retention.Should().Be(TimeSpan.FromHours(24));
            (await kafka.Topics.GetDetailsAsync(prices))!.CleanupPolicy.Should().Be(TopicCleanupPolicy.Compact);
        }

        foreach (var host in hosts)
        {
            await host.StopAsync();
            host.Dispose();
        }
    }

    [Fact]
    public async Task Declarations_that_contradict_each_other_fail_the_start_and_both_are_named()
    {
        using var host = HostOf(KafkaMode.Embedded, new LogEvents(), kafka => kafka
            .Configure(options => options.TopicNames["orders"] = "shop-orders")
            .AddTopic("orders", partitions: 6, retention: TimeSpan.FromDays(1))
            .AddTopic("shop-orders", partitions: 12, settings: new Dictionary<string, string> { ["retention.ms"] = "1000" })
            .AddTopic("prices", partitions: 3, cleanupPolicy: TopicCleanupPolicy.Delete | TopicCleanupPolicy.Compact)
            .AddTopic("prices", replicationFactor: 1, settings: new Dictionary<string, string> { ["cleanup.policy"] = "delete,compact" })
            .AddTopic("no name")
            .AddTopic("none", partitions: 0)
            .AddTopic("short", retention: TimeSpan.Zero)
            .AddTopic("odd", cleanupPolicy: TopicCleanupPolicy.None)
            .AddTopic("torn", retention: TimeSpan.FromSeconds(1), settings: new Dictionary<string, string> { ["retention.ms"] = "2000" }));

        var errors = (await host.Awaiting(it => it.StartAsync()).Should().ThrowAsync<KafkaConfigurationException>()).Which.Errors;

        errors.Should().HaveCount(6);
        errors.Should().ContainSingle(error => error.Contains("shop-orders")).Which.Should()
            .Contain("'orders' with Partitions = 6, retention.ms = 86400000").And.Contain("'shop-orders' with Partitions = 12, retention.ms = 1000");
        errors.Should().Contain(error => error.Contains("\"no name\"")).And.Contain(error => error.Contains("0 partitions"))
            .And.Contain(error => error.Contains("short") && error.Contains("1 ms or more")).And.Contain(error => error.Contains("odd"))
            .And.Contain(error => error.Contains("retention.ms = 1000") && error.Contains("retention.ms = 2000"));
        _broker.Topics.Should().BeEmpty();
    }

    [Fact]
    public async Task Declarations_complete_each_other_and_logical_names_are_resolved()
    {
        using var host = HostOf(KafkaMode.Embedded, new LogEvents(), kafka => kafka
            .Configure(options => options.TopicNames["orders"] = "shop-orders")
            .AddTopic("orders")
            .AddTopic("shop-orders", partitions: 3)
            .AddTopic("orders-dlt", partitions: 1));

        await host.StartAsync();

        _broker.Topics.Should().BeEquivalentTo(new Dictionary<string, int> { ["shop-orders"] = 3, ["shop-orders-dlt"] = 1 });
        await host.StopAsync();
    }

    [SkippableTheory]
    [InlineData(TopicMismatchPolicy.Warn)]
    [InlineData(TopicMismatchPolicy.Fail)]
    public async Task A_topic_that_is_not_as_declared_is_reported_with_each_difference_and_stays_as_it_is(TopicMismatchPolicy policy)
    {
        var topic = await RealKafka.CreateTopicAsync(partitions: 2, new Dictionary<string, string> { ["retention.ms"] = "1000" });
        var same = await RealKafka.CreateTopicAsync(partitions: 2, new Dictionary<string, string> { ["cleanup.policy"] = "compact,delete" });
        var log = new LogEvents();
        using var host = HostOf(KafkaMode.Kafka, log, kafka => kafka
            .Configure(options => options.OnTopicMismatch = policy)
            .AddTopic(topic, partitions: 3, retention: Timeout.InfiniteTimeSpan, settings: new Dictionary<string, string> { ["segment.bytes"] = "2000000" })
            .AddTopic(same, partitions: 2, cleanupPolicy: TopicCleanupPolicy.Delete | TopicCleanupPolicy.Compact, replicationFactor: 1));

        string said;
        if (policy is TopicMismatchPolicy.Fail)
        {
            var failed = (await host.Awaiting(it => it.StartAsync()).Should().ThrowAsync<KafkaTopicException>()).Which;
            failed.Topic.Should().Be(topic);
            said = failed.Message;
        }
        else
        {
            await host.StartAsync();
            said = log.The(6030).Message;
        }

        said.Should().Contain(topic).And.Contain("it has 2 partition(s), declared 3").And.Contain("retention.ms is 1000, declared -1")
            .And.MatchRegex("segment.bytes is [0-9]+, declared 2000000").And.NotContain(same).And.NotContain("replica");
        await Service(host).Topics.SetRetentionAsync(topic, Timeout.InfiniteTimeSpan);
        await Waiting.Until(async () => (await Service(host).Topics.GetDetailsAsync(topic))! is { Partitions: 2, Retention: null }, "its retention was set");
        await host.StopAsync();
    }

    [Theory]
    [InlineData(TopicMismatchPolicy.Warn)]
    [InlineData(TopicMismatchPolicy.Fail)]
    public async Task On_the_embedded_broker_partitions_are_compared_and_settings_are_named_that_do_nothing(TopicMismatchPolicy policy)
    {
        _broker.CreateTopic("orders", 2);
        var log = new LogEvents();
        using var host = HostOf(KafkaMode.Embedded, log, kafka => kafka
            .Configure(options => options.OnTopicMismatch = policy)
            .AddTopic("orders", partitions: 3, retention: TimeSpan.FromHours(1), replicationFactor: 3)
            .AddSubscription<string, Accept>("orders", group: "g"));

        if (policy is TopicMismatchPolicy.Fail)
        {
            await host.Awaiting(it => it.StartAsync()).Should().ThrowAsync<KafkaTopicException>().WithMessage("*'orders'*2 partition(s), declared 3*");
            Service(host).Subscriptions.Should().BeEmpty();
        }
        else
        {
            await host.StartAsync();
            log.The(6030).Message.Should().Contain("it has 2 partition(s), declared 3").And.NotContain("replica").And.NotContain("retention.ms is");
            await Waiting.Until(() => Service(host).Subscriptions[0].State is SubscriptionState.Running, "the subscription runs");
        }

        log.The(6032).Message.Should().Contain("retention.ms").And.Contain("'orders'");
        await host.StopAsync();
    }

    [SkippableFact]
    public async Task Retry_and_dead_letter_topics_of_a_declared_topic_are_created_with_it()
    {
        _ = RealKafka.Brokers;
        var topic = RealKafka.NewName("orders");
        using var host = HostOf(KafkaMode.Kafka, new LogEvents(), kafka => kafka
            .AddTopic(topic, partitions: 5, retention: TimeSpan.FromMinutes(1))
            .AddSubscription<string, Accept>(topic, group: topic, o =>
            {
                o.Retry.Topic.MaxAttempts = 3;
                o.Retry.AllowReorder = true;
            }));

        await host.StartAsync();

        var kafka = Service(host);
        await Waiting.Until(() => kafka.Subscriptions[0].State is SubscriptionState.Running, "the subscription runs");
        (await kafka.Topics.GetPartitionCountsAsync([topic + "-retry", topic + "-dlt"])).Values.Should().Equal(5, 5);
        (await kafka.Topics.GetDetailsAsync(topic + "-dlt"))!.Retention.Should().BeNull("dead letters are kept for ever, whatever the source has");
        await host.StopAsync();
    }

    [Fact]
    public async Task A_declared_topic_that_was_deleted_is_created_again_as_declared()
    {
        using var host = HostOf(KafkaMode.Embedded, new LogEvents(), kafka => kafka
            .AddTopic("orders", partitions: 3, settings: new Dictionary<string, string> { ["retention.ms"] = "1000" }));
        await host.StartAsync();
        var kafka = Service(host);
        await kafka.Topics.DeleteAsync(["orders"]);

        await kafka.Topics.CreateIfNotExistsAsync([new TopicSpec("orders")]);

        _broker.Topics["orders"].Should().Be(3);
        await host.StopAsync();
    }

    [Fact]
    public async Task Without_a_broker_subscriptions_wait_for_their_declared_topics()
    {
        _broker.CreateTopic("orders", 2);
        _broker.StopBroker();
        var log = new LogEvents();
        using var host = HostOf(KafkaMode.Kafka, log, kafka => kafka
            .Configure(options =>
            {
                options.Brokers = _broker.BootstrapServers;
                options.StartWithoutBroker = true;
                options.ConnectTimeout = TimeSpan.FromSeconds(1);
            })
            .AddTopic("orders", partitions: 2)
            .AddSubscription<string, Accept>("orders", group: "g"));

        await host.StartAsync();
        await Waiting.Until(() => log.Count(6033) == 1, "it is said that topics are waited for");
        Service(host).Subscriptions[0].State.Should().Be(SubscriptionState.Joining);
        _broker.StartBroker();

        await Waiting.Until(() => Service(host).Subscriptions[0].State is SubscriptionState.Running, "the subscription runs");
        log.Count(6033).Should().Be(1);
        log.All.Where(line => line.Id is 6034 or 6030).Should().BeEmpty();
        await host.StopAsync();
    }

    [Fact]
    public async Task In_console_mode_each_is_logged()
    {
        var log = new LogEvents();
        using var host = HostOf(KafkaMode.Console, log, kafka => kafka.AddTopic("orders", partitions: 3, retention: TimeSpan.FromHours(1)));

        await host.StartAsync();

        log.The(6002).Message.Should().Be("[DEV] Would create topic orders with 3 partitions");
        (await Service(host).Topics.GetDetailsAsync("orders"))!.Retention.Should().Be(TimeSpan.FromHours(1));
        await host.StopAsync();
    }

    private static KafkaService Service(IHost host) => host.Services.GetRequiredService<KafkaService>();

    private IHost HostOf(KafkaMode mode, LogEvents log, Action<NaradKafkaBuilder> configure)
    {
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings { EnvironmentName = "Test" });
        builder.Logging.AddProvider(log);
        configure(builder.Services.AddNaradKafka(options =>
        {
            options.Mode = mode;
            options.EmbeddedBroker = _broker;
            options.ShutdownTimeout = TimeSpan.FromSeconds(10);
            if (mode is KafkaMode.Kafka && Environment.GetEnvironmentVariable("NARAD_TEST_KAFKA") is { } brokers)
            {
                options.Brokers = brokers;
            }
        }));
        return builder.Build();
    }

    private sealed class Accept : IMessageHandler<string>
    {
        public Task HandleAsync(string message, MessageContext context, CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
