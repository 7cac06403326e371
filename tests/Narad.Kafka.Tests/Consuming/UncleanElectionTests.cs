using System.Collections.Concurrent;
using Narad.Kafka.Tests.Transports;

namespace Narad.Kafka.Tests.Consuming;

/// <summary>Logs of a real cluster that an unclean leader election truncates.</summary>
[Collection(PausesTheRealBroker.Name)]
public sealed class UncleanElectionTests
{
    [SkippableTheory]
    [InlineData(KafkaGroupProtocol.Classic, KafkaAssignor.CooperativeSticky)]
    [InlineData(KafkaGroupProtocol.Classic, KafkaAssignor.Range)]
    [InlineData(KafkaGroupProtocol.Consumer, KafkaAssignor.CooperativeSticky)]
    [Trait("Promise", "S32")]
    [Trait("Trap", "start-not-validated")]
    public async Task A_truncated_log_stops_its_partition_and_a_restart_after_it_has_grown_stops_again(KafkaGroupProtocol protocol, KafkaAssignor assignor)
    {
        await using var cluster = ThreeBrokers.OrSkip();
        using var broker = new KafkaTestBroker();
        var (topic, group) = (await cluster.CreateUncleanTopicAsync(), broker.NewGroup());
        var id = new TopicPartitionId(topic, 0);
        await broker.SendAsync(topic, 0, 20);
        broker.Commit(group, topic, 0, 0);
        await using (var kafka = await broker.StartAsync(group, Configure))
        {
            // A new group would start at the end: that is not what this one is.
            var handled = new ConcurrentQueue<long>();
            var subscription = await kafka.SubscribeAsync<string>(topic, Record(handled), configure: s => s.StartPosition = StartPosition.Latest);
            await Waiting.Until(() => handled.Count == 20, "all are handled");
            await cluster.TruncateAsync(topic, async () =>
            {
                await broker.SendAsync(topic, 0, 10);
                await broker.CommittedReaches(group, topic, 0, 30);
            });
            await Waiting.Until(() => subscription.StoppedPartitions.Count == 1, "the partition stopped", TimeSpan.FromSeconds(60));
            subscription.StoppedPartitions[0].Offset.Should().Be(30);
            subscription.StoppedPartitions[0].Reason.Should().BeOfType<OffsetUnavailableException>();
            kafka.Groups.Single().Metrics.Resets.Should().Be(0);
            broker.Committed(group, topic, 0).Should().Be(30);
        }

        // The log grows past where the group stands: nothing but the leader epoch tells that 20 to 29 are other messages now.
        using var sender = new KafkaTestBroker();
        await sender.SendAsync(topic, 0, 20);
        await using var again = await broker.StartAsync(group, Configure);
        var rest = new ConcurrentQueue<long>();
        var restarted = await again.SubscribeAsync<string>(topic, Record(rest), configure: s => s.StartPosition = StartPosition.Latest);
        await Waiting.Until(() => restarted.StoppedPartitions.Count == 1 || !rest.IsEmpty, "the partition stopped again", TimeSpan.FromSeconds(60));
        restarted.StoppedPartitions.Should().ContainSingle().Which.Reason.Message.Should().Contain("Log truncated").And.Contain("30").And.Contain("20")
            .And.NotContain("restart");
        again.Groups.Single().Metrics.Truncations.Should().Be(1);
        rest.Should().BeEmpty();

        // What was sent since is handled from where the log was cut, as the message says, and a restart continues there.
        (await restarted.SeekAsync(id, 20)).Should().BeTrue();
        await Waiting.Until(() => rest.Count == 20, "what was sent since is handled");
        rest.Should().BeEquivalentTo(Enumerable.Range(20, 20).Select(static n => (long)n));
        await broker.CommittedReaches(group, topic, 0, 40);
        restarted.StoppedPartitions.Should().BeEmpty();

        void Configure(KafkaOptions options)
        {
            options.GroupProtocol = protocol;
            options.Assignor = assignor;
        }
    }

    private static Func<string, MessageContext, CancellationToken, Task> Record(ConcurrentQueue<long> handled) => (_, context, _) =>
    {
        handled.Enqueue(context.Offset);
        return Task.CompletedTask;
    };
}
