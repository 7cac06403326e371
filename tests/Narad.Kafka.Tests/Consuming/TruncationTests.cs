using System.Collections.Concurrent;

namespace Narad.Kafka.Tests.Consuming;

/// <summary>A log that is shorter than where a group stands, as librdkafka reports it, without a cluster that truncates one.</summary>
public sealed class TruncationTests
{
    // As another process sees the embedded broker, so that all that is done for a cluster is done.
    [Fact]
    [Trait("Promise", "S32")]
    public async Task A_committed_offset_behind_the_end_of_the_log_stops_and_is_committed_no_more_once_the_partition_is_resumed()
    {
        using var broker = new EmbeddedTestBroker();
        var (topic, group) = (await broker.CreateTopicAsync(1), broker.NewGroup());
        await broker.SendAsync(topic, 0, 10);
        broker.Commit(group, topic, 0, 30);
        var options = new KafkaOptions { Mode = KafkaMode.Kafka, Brokers = broker.Brokers, SessionTimeout = broker.ShortestSession };
        await using var kafka = new KafkaService(options);
        await kafka.ConnectConsumerAsync(group);
        var handled = new ConcurrentQueue<long>();
        var subscription = await kafka.SubscribeAsync<string>(topic, Record(handled), configure: s => s.StartPosition = StartPosition.Latest);
        await Waiting.Until(() => subscription.StoppedPartitions.Count == 1, "the partition stopped");
        subscription.StoppedPartitions[0].Offset.Should().Be(30);
        subscription.StoppedPartitions[0].Reason.Message.Should().Contain("truncated").And.Contain("30");
        handled.Should().BeEmpty();

        (await subscription.ResumeAsync(new TopicPartitionId(topic, 0))).Should().BeTrue();
        await Waiting.Until(() => handled.Count == 10, "it continues at its first message");
        await broker.CommittedReaches(group, topic, 0, 10);
        await Waiting.Until(() => broker.Committed(group, topic, 0) == 10, "the lost offset is not committed any more");
    }

    private static Func<string, MessageContext, CancellationToken, Task> Record(ConcurrentQueue<long> handled) => (_, context, _) =>
    {
        handled.Enqueue(context.Offset);
        return Task.CompletedTask;
    };
}
