using System.Collections.Concurrent;
using System.Diagnostics;
using Confluent.Kafka;
using Confluent.Kafka.Admin;
using Narad.Kafka.Shared;

namespace Narad.Kafka.Tests.Service;

/// <summary>
/// A missing topic is reported by name, at once, and read within 5 s of its creation. On real Kafka: looking at the mock cluster creates topics.
/// </summary>
[Trait("Promise", "S17")]
public sealed class MissingTopicTests
{
    private const int TopicMissing = 3030;

    [SkippableTheory]
    [InlineData(KafkaAssignor.CooperativeSticky, KafkaGroupProtocol.Classic)]
    [InlineData(KafkaAssignor.Range, KafkaGroupProtocol.Classic)]
    [InlineData(KafkaAssignor.Range, KafkaGroupProtocol.Consumer)]
    [Trait("Trap", "missing-topic")]
    public async Task A_missing_topic_is_named_at_once_and_read_within_5_s_of_its_creation_while_the_others_are_read(
        KafkaAssignor assignor, KafkaGroupProtocol protocol)
    {
        var existing = await RealKafka.CreateTopicAsync();
        var missing = RealKafka.NewName("missing");
        var log = new LogEvents();
        await using var kafka = new KafkaService(
            new KafkaOptions { Mode = KafkaMode.Kafka, Brokers = RealKafka.Brokers, Assignor = assignor, GroupProtocol = protocol }, log);
        await kafka.ConnectProducerAsync();
        await kafka.ConnectConsumerAsync(RealKafka.NewName("group"));
        var handled = new ConcurrentQueue<string>();
        Task Handle(string message, MessageContext context, CancellationToken token)
        {
            handled.Enqueue(message);
            return Task.CompletedTask;
        }

        using var stalls = new Stalls();
        var watch = Stopwatch.StartNew();
        var waiting = await kafka.SubscribeAsync<string>(missing, Handle).WaitAsync(Waiting.Deadline);
        watch.Elapsed.Should().BeLessThan(TimeSpan.FromSeconds(5) + stalls.Allowance);
        waiting.State.Should().Be(SubscriptionState.TopicMissing);
        log.The(TopicMissing).Message.Should().Contain(missing);
        (await HealthReport.OfAsync(kafka)).Description.Should().Contain(missing);

        var running = await kafka.SubscribeAsync<string>(existing, Handle).WaitAsync(Waiting.Deadline);
        running.State.Should().Be(SubscriptionState.Running);
        await kafka.SendAsync(existing, "there");
        await Waiting.Until(() => handled.Contains("there"), "the other topic of the group is read");

        using (var admin = new AdminClientBuilder(new AdminClientConfig { BootstrapServers = RealKafka.Brokers }).SetLogHandler((_, _) => { }).Build())
        {
            await admin.CreateTopicsAsync([new TopicSpecification { Name = missing, NumPartitions = 2 }]);
        }

        await Waiting.Until(() => waiting.State is SubscriptionState.Running && waiting.Assignment.Count == 2, "read within 5 s", TimeSpan.FromSeconds(5));
        await kafka.SendAsync(missing, "late");
        await Waiting.Until(() => handled.Contains("late"), "its messages are handled");
        log.Count(TopicMissing).Should().Be(1);
    }

    [SkippableFact]
    public async Task A_topic_that_stays_missing_does_not_make_an_eager_group_rebalance_again_and_again()
    {
        var existing = await RealKafka.CreateTopicAsync();
        var log = new LogEvents();
        await using var kafka = new KafkaService(new KafkaOptions { Mode = KafkaMode.Kafka, Brokers = RealKafka.Brokers, Assignor = KafkaAssignor.Range }, log);
        await kafka.ConnectConsumerAsync(RealKafka.NewName("group"));
        await kafka.SubscribeAsync<string>(existing, (_, _, _) => Task.CompletedTask);
        await kafka.SubscribeAsync<string>(RealKafka.NewName("missing"), (_, _, _) => Task.CompletedTask);
        var assignments = log.Count(3001);
        var watch = Stopwatch.StartNew();
        await Waiting.Until(() => watch.Elapsed > TimeSpan.FromSeconds(2.5), "two looks for the topic");
        log.Count(3001).Should().Be(assignments);
    }

    [SkippableFact]
    public async Task IfMissing_creates_the_topic()
    {
        var missing = RealKafka.NewName("created");
        await using var kafka = new KafkaService(
            new KafkaOptions { Mode = KafkaMode.Kafka, Brokers = RealKafka.Brokers, TopicCreation = TopicCreation.IfMissing, TopicPartitions = 3 });
        await kafka.ConnectConsumerAsync(RealKafka.NewName("group"));
        var subscription = await kafka.SubscribeAsync<string>(missing, (_, _, _) => Task.CompletedTask).WaitAsync(Waiting.Deadline);
        subscription.State.Should().Be(SubscriptionState.Running);
        await Waiting.Until(() => subscription.Assignment.Count == 3, "its partitions");
    }
}
