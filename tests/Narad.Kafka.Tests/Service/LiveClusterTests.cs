using System.Collections.Concurrent;
using System.Diagnostics;
using Confluent.Kafka;
using Confluent.Kafka.Admin;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Narad.Kafka.Shared;
using Narad.Kafka.Tests.Connecting;

namespace Narad.Kafka.Tests.Service;

/// <summary>
/// What an operator does to a cluster while a service reads from it shows in its health, with cause and remedy, and is over when it is over. On real Kafka.
/// </summary>
public sealed class LiveClusterTests
{
    private const int TopicMissing = 3030;
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(90);

    [SkippableTheory]
    [InlineData(KafkaGroupProtocol.Classic)]
    [InlineData(KafkaGroupProtocol.Consumer)]
    public async Task A_topic_whose_Read_right_is_taken_away_is_unhealthy_until_it_is_given_back(KafkaGroupProtocol protocol)
    {
        await using var lists = new AccessLists();
        var (topic, group) = (await RealKafka.CreateTopicAsync(), RealKafka.NewName("group"));
        await lists.GrantAsync(ResourceType.Topic, topic, AclOperation.Read);
        await using var kafka = Service(AccessLists.Options, protocol);
        var handled = await ReadAsync(kafka, topic, group);
        await SendAsync(topic, "1");
        await Waiting.Until(() => handled.Count == 1, "one is handled");

        await lists.RevokeAsync(ResourceType.Topic, topic);
        await SendAsync(topic, "2");
        (await BecomesAsync(kafka, HealthStatus.Unhealthy, $"topic '{topic}'")).Should().Contain("lacks the right");

        await lists.GrantAsync(ResourceType.Topic, topic, AclOperation.Read);
        await Waiting.Until(() => handled.Count == 2, "the other one is handled", Deadline);
        await BecomesAsync(kafka, HealthStatus.Healthy);
        kafka.Subscriptions.Single().State.Should().Be(SubscriptionState.Running);
    }

    [SkippableFact]
    public async Task A_right_to_read_that_comes_back_while_no_message_comes_is_noticed()
    {
        await using var lists = new AccessLists();
        var (topic, group) = (await RealKafka.CreateTopicAsync(), RealKafka.NewName("group"));
        await lists.GrantAsync(ResourceType.Topic, topic, AclOperation.Read, AclOperation.Describe);
        await using var kafka = Service(AccessLists.Options);
        await ReadAsync(kafka, topic, group);

        await lists.RevokeAsync(ResourceType.Topic, topic);
        await lists.GrantAsync(ResourceType.Topic, topic, AclOperation.Describe);
        await BecomesAsync(kafka, HealthStatus.Unhealthy, $"topic '{topic}'");

        await lists.GrantAsync(ResourceType.Topic, topic, AclOperation.Read);
        await BecomesAsync(kafka, HealthStatus.Healthy);
    }

    [SkippableTheory]
    [InlineData(KafkaGroupProtocol.Classic)]
    [InlineData(KafkaGroupProtocol.Consumer)]
    [Long]
    public async Task A_group_whose_Read_right_is_taken_away_is_unhealthy_and_runs_again_when_it_is_given_back(KafkaGroupProtocol protocol)
    {
        await using var lists = new AccessLists();
        var (topic, group) = (await RealKafka.CreateTopicAsync(), RealKafka.NewName("group"));
        await lists.GrantAsync(ResourceType.Group, group, AclOperation.Read);
        using var log = new LogEvents();
        await using var kafka = Service(AccessLists.Options, protocol, log);
        var handled = await ReadAsync(kafka, topic, group);
        await SendAsync(topic, "1");
        await Waiting.Until(() => handled.Count == 1, "one is handled");

        await lists.RevokeAsync(ResourceType.Group, group);
        await SendAsync(topic, "2");
        (await BecomesAsync(kafka, HealthStatus.Unhealthy, $"Read on group '{group}'")).Should().NotContain("subscribe again");
        kafka.Subscriptions.Single().State.Should()
            .NotBe(SubscriptionState.Faulted, string.Join("\n", log.All.Where(logged => logged.Level >= Microsoft.Extensions.Logging.LogLevel.Warning)));

        await lists.GrantAsync(ResourceType.Group, group, AclOperation.Read);
        await SendAsync(topic, "3");
        await Waiting.Until(() => handled.Contains("2") && handled.Contains("3"), "the others are handled", Deadline);
        await BecomesAsync(kafka, HealthStatus.Healthy);
        kafka.Subscriptions.Single().State.Should().Be(SubscriptionState.Running);
    }

    [SkippableTheory]
    [InlineData(KafkaGroupProtocol.Classic)]
    [InlineData(KafkaGroupProtocol.Consumer)]
    public async Task A_topic_that_is_deleted_for_good_is_missing_and_unhealthy_and_read_when_it_is_there_again(KafkaGroupProtocol protocol)
    {
        var (topic, group) = (await RealKafka.CreateTopicAsync(), RealKafka.NewName("group"));
        using var log = new LogEvents();
        await using var kafka = Service(Plain(), protocol, log);
        var handled = await ReadAsync(kafka, topic, group);
        await SendAsync(topic, "1");
        await Waiting.Until(() => handled.Count == 1, "one is handled");

        await AdminAsync(admin => admin.DeleteTopicsAsync([topic]));
        (await BecomesAsync(kafka, HealthStatus.Unhealthy, $"topic '{topic}'")).Should().Contain("does not exist");
        kafka.Subscriptions.Single().State.Should().Be(SubscriptionState.TopicMissing);
        log.The(TopicMissing).Message.Should().Contain(topic);

        await AdminAsync(admin => admin.CreateTopicsAsync([new TopicSpecification { Name = topic, NumPartitions = 1 }]));
        await Waiting.Until(() => kafka.Subscriptions.Single().State is SubscriptionState.Running, "it is read again", Deadline);
        await SendAsync(topic, "2");
        await Waiting.Until(() => handled.Contains("2"), "its messages are handled", Deadline);
        await BecomesAsync(kafka, HealthStatus.Healthy);
    }

    [SkippableFact]
    public async Task A_retry_topic_that_is_deleted_is_named_and_created_again_where_that_is_wanted()
    {
        var (topic, group) = (await RealKafka.CreateTopicAsync(), RealKafka.NewName("group"));
        using var log = new LogEvents();
        await using var creating = Service(Plain(options => options.TopicCreation = TopicCreation.IfMissing), log: log);
        var handled = new ConcurrentQueue<string>();
        await creating.ConnectConsumerAsync(group);
        await creating.SubscribeAsync<string>(
            topic,
            (message, context, _) =>
            {
                handled.Enqueue($"{message} {context.Retry}");
                return context.Retry == 0 ? throw new InvalidOperationException("later") : Task.CompletedTask;
            },
            configure: subscription =>
            {
                subscription.Retry.Topic.MaxAttempts = 1;
                subscription.Retry.Topic.Delay = TimeSpan.FromSeconds(1);
                subscription.Retry.Topic.BackoffType = DelayBackoffType.Constant;
            });

        await AdminAsync(admin => admin.DeleteTopicsAsync([topic + "-retry"]));
        await Waiting.Until(() =>
            creating.Subscriptions.Any(subscription => subscription.Topic == topic + "-retry" && subscription.State is SubscriptionState.TopicMissing),
            "it is missed", Deadline);
        await Waiting.Until(() => creating.Subscriptions.All(subscription => subscription.State is SubscriptionState.Running), "it is created again", Deadline);
        await SendAsync(topic, "1");
        await Waiting.Until(() => handled.Contains("1 1"), "retries go through it", Deadline);
        await BecomesAsync(creating, HealthStatus.Healthy);
        var gone = log.The(3077);
        gone.Level.Should().Be(Microsoft.Extensions.Logging.LogLevel.Critical, "what waited there is lost");
        gone.Message.Should().Contain($"'{topic}-retry'").And.Contain($"'{topic}'");
    }

    [SkippableFact]
    public async Task Partitions_that_a_retry_topic_lacks_for_key_order_are_named_until_it_has_them()
    {
        var (topic, group) = (await RealKafka.CreateTopicAsync(1), RealKafka.NewName("group"));
        await AdminAsync(admin =>
            admin.CreateTopicsAsync(
                [new TopicSpecification { Name = topic + "-retry", NumPartitions = 1 }, new TopicSpecification { Name = topic + "-dlt", NumPartitions = 1 }]));
        await using var kafka = Service(Plain());
        var retried = new ConcurrentQueue<string>();
        await kafka.ConnectConsumerAsync(group);
        await kafka.SubscribeAsync<string>(
            topic,
            (_, context, _) =>
            {
                retried.Enqueue($"{context.Topic}[{context.Partition}]");
                return context.Retry == 0 ? throw new InvalidOperationException("later") : Task.CompletedTask;
            },
            configure: subscription =>
            {
                subscription.Order = MessageOrder.ByKey;
                subscription.Retry.Topic.MaxAttempts = 1;
                subscription.Retry.Topic.Delay = TimeSpan.FromSeconds(1);
                subscription.Retry.Topic.BackoffType = DelayBackoffType.Constant;
                subscription.Retry.Topic.MaxDelay = TimeSpan.FromMinutes(1);
                subscription.Retry.PreserveKeyOrder = true;
                subscription.DeadLetter.Enabled = true;
            });

        await AdminAsync(admin => admin.CreatePartitionsAsync([new PartitionsSpecification { Topic = topic, IncreaseTo = 2 }]));
        var health = await BecomesAsync(kafka, HealthStatus.Unhealthy, $"its retry topic '{topic}-retry' has 1 partition(s) only");
        health.Should().Contain($"{topic}[1]").And.Contain($"kafka-topics --alter --topic {topic}-retry --partitions 2");

        await AdminAsync(admin => admin.CreatePartitionsAsync([new PartitionsSpecification { Topic = topic + "-retry", IncreaseTo = 2 }]));
        await SendAsync(topic, "1", partition: 1);
        await Waiting.Until(() => retried.Count == 2, "the new partition is handled, and its retry", Deadline);
        retried.Should().Equal([$"{topic}[1]", $"{topic}-retry[1]"], "what fails waits in the partition of its own number");
        await BecomesAsync(kafka, HealthStatus.Healthy);
    }

    [SkippableFact]
    public async Task A_partition_that_was_added_is_sent_to_within_seconds_and_until_then_the_failure_is_retriable()
    {
        var topic = await RealKafka.CreateTopicAsync(1);
        await using var kafka = Service(Plain());
        await kafka.ConnectProducerAsync();
        await kafka.SendAsync(topic, "1");

        await AdminAsync(admin => admin.CreatePartitionsAsync([new PartitionsSpecification { Topic = topic, IncreaseTo = 4 }]));

        var watch = Stopwatch.StartNew();
        SendResult? sent = null;
        while (sent is null)
        {
            try
            {
                sent = await kafka.SendAsync(topic, "2", options: new SendOptions { Partition = 3 });
            }
            catch (KafkaSendException refused) when (watch.Elapsed < TimeSpan.FromSeconds(30))
            {
                refused.Retriable.Should().BeTrue();
                refused.MayHaveBeenWritten.Should().BeFalse();
                refused.Message.Should().Contain("has no partition 3").And.Contain("send again");
            }
        }

        sent.Value.Partition.Should().Be(3);
        var partitions = new HashSet<int>();
        for (var n = 0; n < 64; n++)
        {
            partitions.Add((await kafka.SendAsync(topic, "k", $"{n}")).Partition);
        }

        partitions.Should().BeEquivalentTo([0, 1, 2, 3], "keys go to the new partitions");
    }

    [SkippableFact]
    public async Task A_retention_that_is_lowered_below_the_delay_is_critical_while_messages_wait()
    {
        var (topic, group) = (await RealKafka.CreateTopicAsync(), RealKafka.NewName("group"));
        using var log = new LogEvents();
        await using var kafka = Service(Plain(options => options.TopicCreation = TopicCreation.IfMissing), log: log);
        await kafka.ConnectConsumerAsync(group);
        await kafka.SubscribeAsync<string>(
            topic,
            (_, _, _) => throw new InvalidOperationException("later"),
            configure: subscription =>
            {
                subscription.Retry.Topic.MaxAttempts = 1;
                subscription.Retry.Topic.Delay = TimeSpan.FromMinutes(10);
                subscription.Retry.Topic.BackoffType = DelayBackoffType.Constant;
            });

        await kafka.Topics.SetRetentionAsync(topic + "-retry", TimeSpan.FromMinutes(1));
        await Waiting.Until(() => log.Count(6014) == 1, "it is logged", Deadline);
        (await BecomesAsync(kafka, HealthStatus.Degraded, "retention.ms")).Should().Contain(topic + "-retry");

        await kafka.Topics.SetRetentionAsync(topic + "-retry", null);
        await BecomesAsync(kafka, HealthStatus.Healthy);
        log.Count(6015).Should().Be(1);
    }

    [SkippableTheory]
    [InlineData(false)]
    [InlineData(true)]
    [Long]
    public async Task A_retention_of_a_dead_letter_topic_that_is_lowered_is_warned_about_and_again_when_it_is_lifted(bool retries)
    {
        var (topic, group) = (await RealKafka.CreateTopicAsync(), RealKafka.NewName("group"));
        using var log = new LogEvents();
        await using var kafka = Service(Plain(options => options.TopicCreation = TopicCreation.IfMissing), log: log);
        await kafka.ConnectConsumerAsync(group);
        await kafka.SubscribeAsync<string>(
            topic,
            (_, _, _) => throw new InvalidOperationException("never"),
            configure: subscription =>
                (subscription.Retry.Topic.MaxAttempts, subscription.Retry.Topic.Delay, subscription.DeadLetter.Enabled) = (
                    retries ? 1 : 0, TimeSpan.FromMinutes(10), true));
        log.Count(6010).Should().Be(0);

        await kafka.Topics.SetRetentionAsync(topic + "-dlt", TimeSpan.FromMinutes(1));
        await Waiting.Until(() => log.Count(6010) == 1, "it is logged", Deadline);
        log.The(6010).Message.Should().Contain(topic + "-dlt").And.Contain("60 s");

        await kafka.Topics.SetRetentionAsync(topic + "-dlt", null);
        await Waiting.Until(() => log.Count(6016) == 1, "that is logged", Deadline);
        log.Count(6010).Should().Be(1);
    }

    [SkippableFact]
    [Trait("Promise", "S6")]
    public async Task A_largest_batch_that_is_lowered_and_restored_while_a_service_sends_fails_nothing_and_sends_go_together_again_within_seconds()
    {
        const int Refused = 2020;
        const int Raised = 2026;
        var topic = await RealKafka.CreateTopicAsync();
        using var log = new LogEvents();
        await using var kafka = Service(Plain(), log: log);
        await kafka.ConnectProducerAsync();
        await SendTogetherAsync();

        for (var round = 1; round <= 2; round++)
        {
            // Only messages that go together are refused, so the second round shows that they did again.
            await SetLargestAsync("2000");
            await SendUntilAsync(Refused, round);
            await SetLargestAsync(null);
            var restored = Stopwatch.StartNew();
            await SendUntilAsync(Raised, round);
            restored.Elapsed.Should().BeLessThan(TimeSpan.FromSeconds(20));
        }

        log.All.Where(logged => logged.Id == Raised).Should().AllSatisfy(logged => logged.Message.Should().Contain(topic));

        Task SendTogetherAsync() => Task.WhenAll(Enumerable.Range(0, 50).Select(n => kafka.SendAsync(topic, new string('x', 500), $"{n}").AsTask()));

        async Task SendUntilAsync(int id, int count)
        {
            var watch = Stopwatch.StartNew();
            while (log.Count(id) < count)
            {
                watch.Elapsed.Should().BeLessThan(Deadline, "event {0} comes {1} time(s)", id, count);
                await SendTogetherAsync();
            }
        }

        Task SetLargestAsync(string? bytes) => AdminAsync(admin => admin.IncrementalAlterConfigsAsync(new Dictionary<ConfigResource, List<ConfigEntry>>
        {
            [new ConfigResource { Type = ResourceType.Topic, Name = topic }] =
                [new ConfigEntry { Name = "max.message.bytes", Value = bytes, IncrementalOperation = bytes is null ? AlterConfigOpType.Delete
                    : AlterConfigOpType.Set }],
        }));
    }

    [SkippableFact]
    public async Task A_member_with_another_assignor_is_told_what_to_set()
    {
        var (topic, group) = (await RealKafka.CreateTopicAsync(), RealKafka.NewName("group"));
        await using var strangers = Service(Plain(options => options.Assignor = KafkaAssignor.RoundRobin));
        await ReadAsync(strangers, topic, group);
        await using var kafka = Service(Plain());

        var reading = ReadAsync(kafka, topic, group);

        (await BecomesAsync(kafka, HealthStatus.Unhealthy, "partition.assignment.strategy")).Should().Contain("Kafka:Assignor = CooperativeSticky");
        await strangers.DisposeAsync();
        await reading.WaitAsync(Deadline);
        await BecomesAsync(kafka, HealthStatus.Healthy);
    }

    private static KafkaOptions Plain(Action<KafkaOptions>? configure = null)
    {
        var options = new KafkaOptions { Mode = KafkaMode.Kafka, Brokers = RealKafka.Brokers };
        configure?.Invoke(options);
        return options;
    }

    private static KafkaService Service(KafkaOptions options, KafkaGroupProtocol protocol = KafkaGroupProtocol.Classic, LogEvents? log = null)
    {
        options.GroupProtocol = protocol;
        options.SessionTimeout = TimeSpan.FromSeconds(6);
        options.CommitInterval = TimeSpan.FromMilliseconds(100);
        options.DegradedAfter = TimeSpan.FromMilliseconds(500);
        options.UnhealthyAfter = TimeSpan.FromSeconds(2);
        return new KafkaService(options, log);
    }

    private static async Task<ConcurrentQueue<string>> ReadAsync(KafkaService kafka, string topic, string group, Action<SubscriptionOptions>? configure = null)
    {
        var handled = new ConcurrentQueue<string>();
        await kafka.ConnectConsumerAsync(group);
        await kafka.SubscribeAsync<string>(
            topic,
            (message, _, _) =>
            {
                handled.Enqueue(message);
                return Task.CompletedTask;
            },
            configure: configure);
        return handled;
    }

    private static async Task SendAsync(string topic, string message, int partition = 0)
    {
        using var producer = new ProducerBuilder<Null, string>(new ProducerConfig { BootstrapServers = RealKafka.Brokers }).SetLogHandler((_, _) => { })
            .Build();
        await producer.ProduceAsync(new TopicPartition(topic, partition), new Message<Null, string> { Value = message });
    }

    private static async Task AdminAsync(Func<IAdminClient, Task> work)
    {
        using var admin = new AdminClientBuilder(new AdminClientConfig { BootstrapServers = RealKafka.Brokers }).SetLogHandler((_, _) => { }).Build();
        await work(admin);
    }

    private static async Task<string> BecomesAsync(KafkaService kafka, HealthStatus status, string words = "")
    {
        var watch = Stopwatch.StartNew();
        while (true)
        {
            var latest = await HealthReport.OfAsync(kafka);
            if (latest.Status == status && latest.Description.Contains(words, StringComparison.Ordinal))
            {
                return latest.Description;
            }

            if (watch.Elapsed > Deadline)
            {
                throw new TimeoutException($"Not {status} with '{words}', but {latest}");
            }

            await Task.Delay(TimeSpan.FromMilliseconds(20));
        }
    }
}
