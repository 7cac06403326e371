using System.Collections.Concurrent;

namespace Narad.Kafka.Tests.Consuming;

/// <summary>A failure that no policy covers stops its partition, and nothing is committed past it.</summary>
public abstract class FailureContract<TBroker>(TBroker broker) : IClassFixture<TBroker>
    where TBroker : TestBroker
{
    [SkippableFact]
    [Trait("Promise", "S14")]
    public async Task A_failure_stops_its_partition_alone_and_a_restart_delivers_the_message_again()
    {
        var (topic, group) = (await broker.CreateTopicAsync(2), broker.NewGroup());
        await broker.SendAsync(topic, 0, 10, static _ => "k");
        await broker.SendAsync(topic, 1, 10, static _ => "k");
        await using (var first = await broker.StartAsync(group))
        {
            var subscription = await first.SubscribeAsync<string>(
                topic,
                static (value, context, _) => context.Partition == 0 && value == "4" ? throw new InvalidOperationException("no stock") : Task.CompletedTask);
            await Waiting.Until(() => subscription.StoppedPartitions.Count == 1, "partition 0 stopped");
            subscription.StoppedPartitions[0].Partition.Should().Be(new TopicPartitionId(topic, 0));
            subscription.StoppedPartitions[0].Offset.Should().Be(4);
            await broker.CommittedReaches(group, topic, 0, 4);

            // Two rounds of commits later, which the other partition shows, it still stands there.
            await broker.CommittedReaches(group, topic, 1, 10);
            await broker.SendAsync(topic, 1, 10, static _ => "k", from: 10);
            await broker.CommittedReaches(group, topic, 1, 20);
            broker.Committed(group, topic, 0).Should().Be(4);
        }

        broker.Committed(group, topic, 0).Should().Be(4);
        var handled = new ConcurrentQueue<long>();
        await using var second = await broker.StartAsync(group);
        await second.SubscribeAsync<string>(topic, (_, context, _) =>
        {
            handled.Enqueue(context.Offset);
            return Task.CompletedTask;
        });
        await broker.CommittedReaches(group, topic, 0, 10);
        handled.Should().Equal(4, 5, 6, 7, 8, 9);
    }

    [SkippableFact]
    [Trait("Promise", "S14")]
    public async Task A_stopped_partition_goes_on_at_the_message_or_behind_it_when_it_is_told()
    {
        var (topic, group) = (await broker.CreateTopicAsync(1), broker.NewGroup());
        await broker.SendAsync(topic, 0, 6, static _ => "k");
        var handled = new ConcurrentQueue<string>();
        var broken = true;
        await using var kafka = await broker.StartAsync(group);
        var subscription = await kafka.SubscribeAsync<string>(topic, (value, _, _) =>
        {
            if (value == "4" || (value == "2" && Volatile.Read(ref broken)))
            {
                throw new InvalidOperationException(value);
            }

            handled.Enqueue(value);
            return Task.CompletedTask;
        });
        await Waiting.Until(() => subscription.StoppedPartitions is [{ Offset: 2 }], "stopped at the first bad message");
        Volatile.Write(ref broken, false);
        (await subscription.ResumeAsync(new TopicPartitionId(topic, 0))).Should().BeTrue();
        await Waiting.Until(() => subscription.StoppedPartitions is [{ Offset: 4 }], "stopped at the second one");
        await broker.CommittedReaches(group, topic, 0, 4);
        (await subscription.SkipFailedMessageAsync(new TopicPartitionId(topic, 0))).Should().BeTrue();
        await broker.CommittedReaches(group, topic, 0, 6);
        handled.Should().Equal("0", "1", "2", "3", "5");
    }
}

public sealed class FailuresOnEmbedded(EmbeddedTestBroker broker) : FailureContract<EmbeddedTestBroker>(broker);

public sealed class FailuresOnKafka(KafkaTestBroker broker) : FailureContract<KafkaTestBroker>(broker);
