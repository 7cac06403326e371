using System.Collections.Concurrent;
using Confluent.Kafka;

namespace Narad.Kafka.Tests.Consuming;

/// <summary>What is committed, where a partition starts, and what happens when its offsets jump.</summary>
public abstract class OffsetContract<TBroker>(TBroker broker) : IClassFixture<TBroker>
    where TBroker : TestBroker
{
    [SkippableFact]
    [Trait("Promise", "S7")]
    public async Task Nothing_is_committed_past_an_unfinished_message()
    {
        var (topic, group) = (await broker.CreateTopicAsync(2), broker.NewGroup());
        await broker.SendAsync(topic, 0, 100);
        var release = new TaskCompletionSource();
        var handled = new ConcurrentDictionary<(int, long), int>();
        await using var kafka = await broker.StartAsync(group);
        await kafka.SubscribeAsync<string>(topic, async (_, context, _) =>
        {
            if (context is { Partition: 0, Offset: 10 })
            {
                await release.Task;
            }

            handled.AddOrUpdate((context.Partition, context.Offset), 1, static (_, n) => n + 1);
        });

        await Waiting.Until(() => handled.Count == 99, "all but the stuck one are handled");

        // Two rounds of commits later, which another partition shows, this one still stands at the stuck message.
        for (var round = 1; round <= 2; round++)
        {
            await broker.SendAsync(topic, 1, 1);
            await broker.CommittedReaches(group, topic, 1, round);
            broker.Committed(group, topic, 0).Should().Be(10);
        }

        release.SetResult();
        await broker.CommittedReaches(group, topic, 0, 100);
        handled.Values.Should().AllBeEquivalentTo(1);
    }

    [SkippableFact]
    [Trait("Promise", "S32")]
    public async Task A_new_group_starts_at_the_first_message()
    {
        var (topic, group) = (await broker.CreateTopicAsync(3), broker.NewGroup());
        for (var partition = 0; partition < 3; partition++)
        {
            await broker.SendAsync(topic, partition, 5);
        }

        var handled = new ConcurrentQueue<(int, long)>();
        await using var kafka = await broker.StartAsync(group);
        await kafka.SubscribeAsync<string>(topic, Record(handled));
        await Waiting.Until(() => handled.Count == 15, "all are handled");
        handled.Should().OnlyHaveUniqueItems();
    }

    [SkippableFact]
    [Trait("Promise", "S32")]
    [Trait("Trap", "latest-skips")]
    public async Task Latest_commits_where_it_starts_so_that_a_restart_skips_nothing()
    {
        var (topic, group) = (await broker.CreateTopicAsync(1), broker.NewGroup());
        await broker.SendAsync(topic, 0, 5);
        var handled = new ConcurrentQueue<(int, long)>();
        await using (var first = await broker.StartAsync(group))
        {
            await first.SubscribeAsync<string>(topic, Record(handled), configure: s => s.StartPosition = StartPosition.Latest);
            await broker.CommittedReaches(group, topic, 0, 5);
        }

        await broker.SendAsync(topic, 0, 3, from: 5);
        await using var second = await broker.StartAsync(group);
        await second.SubscribeAsync<string>(topic, Record(handled), configure: s => s.StartPosition = StartPosition.Latest);
        await Waiting.Until(() => handled.Count >= 3, "what came meanwhile is handled");
        handled.Select(at => at.Item2).Should().BeEquivalentTo([5L, 6L, 7L]);
    }

    [SkippableTheory]
    [InlineData(KafkaGroupProtocol.Classic)]
    [InlineData(KafkaGroupProtocol.Consumer)]
    [Trait("Promise", "S32")]
    public async Task Latest_misses_nothing_that_is_sent_after_the_subscription_completed(KafkaGroupProtocol protocol)
    {
        var (first, second, later, group) = (await broker.CreateTopicAsync(3), await broker.CreateTopicAsync(1), await broker.CreateTopicAsync(2),
            broker.NewGroup());
        var matched = await broker.CreateTopicAsync(2);
        var handled = new ConcurrentDictionary<(string, int), int>();
        await using var kafka = await broker.StartAsync(group, o => o.GroupProtocol = protocol);
        Task<ISubscription> Subscribe(string topic) => kafka.SubscribeAsync<string>(
            topic,
            (_, context, _) =>
            {
                handled.AddOrUpdate((context.Topic, context.Partition), 1, static (_, n) => n + 1);
                return Task.CompletedTask;
            },
            configure: s => s.StartPosition = StartPosition.Latest);
        async Task SendTo(string topic, int partitions)
        {
            for (var partition = 0; partition < partitions; partition++)
            {
                await broker.SendAsync(topic, partition, 1);
            }
        }

        foreach (var (topic, partitions) in new[] { (first, 3), (second, 1), (later, 2), (matched, 2) })
        {
            await SendTo(topic, partitions);   // what is there already is skipped
        }

        await Task.WhenAll(Subscribe(first), Subscribe(second), Subscribe($"^{matched[..^1]}.$"));
        await Task.WhenAll(SendTo(first, 3), SendTo(second, 1), SendTo(matched, 2));
        await Waiting.Until(() => handled.Count >= 6, "what was sent right after is handled");

        await Subscribe(later);
        await SendTo(later, 2);
        await Waiting.Until(() => handled.Count == 8, "that of a topic that was added, too");
        handled.Values.Should().AllBeEquivalentTo(1);
    }

    [SkippableFact]
    [Trait("Promise", "S32")]
    public async Task Stop_waits_for_a_decision_where_there_is_no_offset()
    {
        var (topic, group) = (await broker.CreateTopicAsync(1), broker.NewGroup());
        await broker.SendAsync(topic, 0, 3);
        var handled = new ConcurrentQueue<(int, long)>();
        await using var kafka = await broker.StartAsync(group);
        var subscription = await kafka.SubscribeAsync<string>(topic, Record(handled), configure: s => s.StartPosition = StartPosition.Stop);
        await Waiting.Until(() => subscription.StoppedPartitions.Count == 1, "the partition stopped");
        handled.Should().BeEmpty();
        subscription.StoppedPartitions[0].Reason.Should().BeOfType<OffsetUnavailableException>();
        (await subscription.ResumeAsync(new TopicPartitionId(topic, 0))).Should().BeTrue();
        await Waiting.Until(() => handled.Count == 3, "it continues at the first message");
        subscription.StoppedPartitions.Should().BeEmpty();
    }

    [SkippableTheory]
    [InlineData(KafkaAssignor.CooperativeSticky)]
    [InlineData(KafkaAssignor.Range)]
    [Trait("Promise", "S32")]
    [Trait("Trap", "earliest-skips")]
    public async Task Out_of_range_stops_and_resume_goes_on_at_what_is_left(KafkaAssignor assignor)
    {
        var (topic, group) = await WithDeletedRecordsAsync();
        var handled = new ConcurrentQueue<(int, long)>();
        await using var kafka = await broker.StartAsync(group, o => o.Assignor = assignor);
        var subscription = await kafka.SubscribeAsync<string>(topic, Record(handled));
        await Waiting.Until(() => subscription.StoppedPartitions.Count == 1, "the partition stopped");
        subscription.StoppedPartitions[0].Offset.Should().Be(2);
        subscription.StoppedPartitions[0].Partition.Should().Be(new TopicPartitionId(topic, 0));
        handled.Should().BeEmpty();
        (await subscription.ResumeAsync(new TopicPartitionId(topic, 0))).Should().BeTrue();
        await Waiting.Until(() => handled.Count == 5, "it continues");
        handled.Select(at => at.Item2).Should().BeEquivalentTo([5L, 6, 7, 8, 9]);
        kafka.Groups.Single().Metrics.Resets.Should().Be(1);
    }

    [SkippableFact]
    [Trait("Promise", "S32")]
    public async Task A_reset_to_the_first_message_is_chosen_by_name_and_counted()
    {
        var (topic, group) = await WithDeletedRecordsAsync();
        var handled = new ConcurrentQueue<(int, long)>();
        await using var kafka = await broker.StartAsync(group);
        await kafka.SubscribeAsync<string>(topic, Record(handled), configure: s => s.OnOutOfRange = OutOfRangePolicy.ResetToEarliest);
        await Waiting.Until(() => handled.Count == 5, "what is left is handled");
        kafka.Groups.Single().Metrics.Resets.Should().Be(1);
    }

    [SkippableFact]
    [Trait("Promise", "S32")]
    public async Task A_reset_to_the_end_is_chosen_by_name_counted_and_committed()
    {
        var (topic, group) = await WithDeletedRecordsAsync();
        var handled = new ConcurrentQueue<(int, long)>();
        await using var kafka = await broker.StartAsync(group);
        await kafka.SubscribeAsync<string>(topic, Record(handled), configure: s => s.OnOutOfRange = OutOfRangePolicy.ResetToLatest);
        await broker.CommittedReaches(group, topic, 0, 10);
        await broker.SendAsync(topic, 0, 1);
        await Waiting.Until(() => !handled.IsEmpty, "the new message is handled");
        handled.Select(at => at.Item2).Should().Equal(10);
        kafka.Groups.Single().Metrics.Resets.Should().Be(1);
    }

    // With an eager assignor a start that is decided later takes the whole assignment again: what is in hand must not come twice.
    [SkippableFact]
    [Trait("Promise", "S32")]
    [Trait("Promise", "S16")]
    public async Task A_partition_that_is_resumed_leaves_the_others_where_they_are()
    {
        var (topic, group) = (await broker.CreateTopicAsync(2), broker.NewGroup());
        await broker.SendAsync(topic, 0, 10);
        await broker.SendAsync(topic, 1, 20);
        broker.Commit(group, topic, 0, 2);
        broker.Commit(group, topic, 1, 0);
        await broker.DeleteRecordsAsync(topic, 0, 5);
        var release = new TaskCompletionSource();
        var handled = new ConcurrentQueue<(int Partition, long Offset)>();
        await using var kafka = await broker.StartAsync(group, o => o.Assignor = KafkaAssignor.Range);
        var subscription = await kafka.SubscribeAsync<string>(topic, async (_, context, _) =>
        {
            handled.Enqueue((context.Partition, context.Offset));
            if (context is { Partition: 1, Offset: 3 })
            {
                await release.Task;
            }
        });
        await Waiting.Until(() => subscription.StoppedPartitions.Count == 1
            && handled.Count(at => at.Partition == 1) == 20, "partition 0 stopped, partition 1 handled but for one");
        (await subscription.ResumeAsync(new TopicPartitionId(topic, 0))).Should().BeTrue();
        await Waiting.Until(() => handled.Count(at => at.Partition == 0) == 5, "partition 0 continues");
        await broker.SendAsync(topic, 1, 5, from: 20);
        await Waiting.Until(() => handled.Any(at => at is { Partition: 1, Offset: 24 }), "partition 1 continues");
        handled.Where(at => at.Partition == 1).Should().OnlyHaveUniqueItems();
        release.SetResult();
        await broker.CommittedReaches(group, topic, 1, 25);
    }

    [SkippableFact]
    [Trait("Promise", "S15")]
    [Trait("Trap", "topic-recreated")]
    public async Task A_topic_that_was_created_again_is_read_from_its_beginning()
    {
        var (topic, group) = (await broker.CreateTopicAsync(1), broker.NewGroup());
        await broker.SendAsync(topic, 0, 10);
        var handled = new ConcurrentQueue<string>();
        await using (var kafka = await broker.StartAsync(group, o => o.OnOutOfRange = OutOfRangePolicy.ResetToEarliest))
        {
            await kafka.SubscribeAsync<string>(topic, (value, _, _) =>
            {
                handled.Enqueue(value);
                return Task.CompletedTask;
            });
            await broker.CommittedReaches(group, topic, 0, 10);
            await broker.RecreateTopicAsync(topic, 1);
            await broker.SendAsync(topic, 0, [("a", "new 0"), ("b", "new 1"), ("c", "new 2")]);
            await Waiting.Until(() => handled.Count(value => value.StartsWith("new", StringComparison.Ordinal)) == 3, "the new messages are handled");
            await Waiting.Until(() => broker.Committed(group, topic, 0) == 3, "the group stands behind the new messages");
        }
    }

    private static Func<string, MessageContext, CancellationToken, Task> Record(ConcurrentQueue<(int, long)> handled) => (_, context, _) =>
    {
        handled.Enqueue((context.Partition, context.Offset));
        return Task.CompletedTask;
    };

    // Ten messages, of which five are left; the group stands at 2.
    private async Task<(string Topic, string Group)> WithDeletedRecordsAsync()
    {
        var (topic, group) = (await broker.CreateTopicAsync(1), broker.NewGroup());
        await broker.SendAsync(topic, 0, 10);
        broker.Commit(group, topic, 0, 2);
        await broker.DeleteRecordsAsync(topic, 0, 5);
        return (topic, group);
    }
}

public sealed class OffsetsOnEmbedded(EmbeddedTestBroker broker) : OffsetContract<EmbeddedTestBroker>(broker)
{
    private readonly EmbeddedTestBroker _broker = broker;

    [Fact]
    [Trait("Promise", "S32")]
    public async Task A_start_position_that_cannot_be_looked_up_is_looked_up_again()
    {
        var (topic, group) = (await _broker.CreateTopicAsync(1), _broker.NewGroup());
        await _broker.SendAsync(topic, 0, 5);
        _broker.Broker.FailNext(KafkaRequest.ListOffsets, ErrorCode.TopicAuthorizationFailed, ErrorCode.TopicAuthorizationFailed);
        await using var kafka = await _broker.StartAsync(group);
        var subscription = await kafka.SubscribeAsync<string>(topic, (_, _, _) => Task.CompletedTask, configure: s => s.StartPosition = StartPosition.Latest);
        await _broker.CommittedReaches(group, topic, 0, 5);
        subscription.State.Should().Be(SubscriptionState.Running);
    }
}

public sealed class OffsetsOnKafka(KafkaTestBroker broker) : OffsetContract<KafkaTestBroker>(broker)
{
    private readonly KafkaTestBroker _broker = broker;

    [SkippableFact]
    [Trait("Promise", "S15")]
    public async Task Gaps_in_the_offsets_are_committed_past()
    {
        var (topic, group) = (await _broker.CreateTopicAsync(1), _broker.NewGroup());
        using (var producer = new ProducerBuilder<string, string>(new ProducerConfig { BootstrapServers = _broker.Brokers, TransactionalId = group }).Build())
        {
            producer.InitTransactions(TimeSpan.FromSeconds(20));
            for (var transaction = 0; transaction < 6; transaction++)
            {
                producer.BeginTransaction();
                for (var n = 0; n < 5; n++)
                {
                    producer.Produce(topic, new Message<string, string> { Key = $"{n}", Value = $"{transaction}" });
                }

                producer.Flush(TimeSpan.FromSeconds(20));   // what is aborted before it was written leaves no gap
                if (transaction % 2 == 0)
                {
                    producer.CommitTransaction(TimeSpan.FromSeconds(20));
                }
                else
                {
                    producer.AbortTransaction(TimeSpan.FromSeconds(20));
                }
            }
        }

        var handled = new ConcurrentQueue<long>();
        await using var kafka = await _broker.StartAsync(group);
        await kafka.SubscribeAsync<string>(topic, (_, context, _) =>
        {
            handled.Enqueue(context.Offset);
            return Task.CompletedTask;
        });
        await _broker.CommittedReaches(group, topic, 0, 36);   // behind the last marker: there is nothing that a lag could be of
        handled.Should().HaveCount(15).And.OnlyHaveUniqueItems();

        // A group that stands before the markers, as an older version left it, is behind them after a restart.
        await kafka.DisconnectAsync();
        _broker.Commit(group, topic, 0, 29);
        await using var again = await _broker.StartAsync(group);
        await again.SubscribeAsync<string>(topic, (_, _, _) => throw new InvalidOperationException("There is nothing to handle."));
        await _broker.CommittedReaches(group, topic, 0, 36);
    }
}
