using System.Collections.Concurrent;

namespace Narad.Kafka.Tests.Consuming;

/// <summary>What an application asks of a running subscription by name.</summary>
public abstract class ControlContract<TBroker>(TBroker broker) : IClassFixture<TBroker>
    where TBroker : TestBroker
{
    private readonly ConcurrentQueue<(int Partition, long Offset)> _handled = [];

    [SkippableFact]
    public async Task A_paused_subscription_starts_nothing_keeps_its_membership_and_goes_on_when_resumed()
    {
        var (topic, group) = (await broker.CreateTopicAsync(2), broker.NewGroup());
        await using var kafka = await broker.StartAsync(group, o => (o.SessionTimeout, o.MaxPollInterval) = (broker.ShortestSession, broker.ShortestSession));
        var subscription = await kafka.SubscribeAsync<string>(topic, Count);
        await Waiting.Until(() => subscription.Assignment.Count == 2, "both partitions are assigned");
        await subscription.PauseAllAsync();
        await Waiting.Until(() => subscription.PausedPartitions.Count == 2, "both are paused");
        await broker.SendAsync(topic, 0, 50);
        await broker.SendAsync(topic, 1, 50);
        var paused = TimeProvider.System.GetTimestamp();
        await Waiting.Until(() => TimeProvider.System.GetElapsedTime(paused) > broker.ShortestSession + TimeSpan.FromSeconds(1),
            "longer than the poll interval");
        _handled.Should().BeEmpty();
        subscription.Assignment.Should().HaveCount(2);
        await subscription.ResumeAllAsync();
        await Waiting.Until(() => _handled.Count == 100, "all are handled");
        subscription.PausedPartitions.Should().BeEmpty();
        await broker.CommittedReaches(group, topic, 0, 50);
    }

    [SkippableFact]
    [Trait("Trap", "pause-while-assigned")]
    public async Task A_paused_partition_is_still_paused_when_it_comes_back_and_the_others_go_on()
    {
        var (topic, group) = (await broker.CreateTopicAsync(2), broker.NewGroup());
        await using var first = await broker.StartAsync(group);
        var subscription = await first.SubscribeAsync<string>(topic, Count);
        await Waiting.Until(() => subscription.Assignment.Count == 2, "both partitions are assigned");
        var (one, two) = (new TopicPartitionId(topic, 0), new TopicPartitionId(topic, 1));
        (await subscription.PauseAsync(one)).Should().BeTrue();
        (await subscription.PauseAsync(two)).Should().BeTrue();
        await using (var second = await broker.StartAsync(group))
        {
            var other = await second.SubscribeAsync<string>(topic, (_, _, _) => Task.CompletedTask);
            await Waiting.Until(() => other.Assignment.Count == 1 && subscription.Assignment.Count == 1, "each has one");
        }

        await Waiting.Until(() => subscription.Assignment.Count == 2, "both came back");
        await broker.SendAsync(topic, 0, 10);
        await broker.SendAsync(topic, 1, 10);
        (await subscription.ResumeAsync(two)).Should().BeTrue();
        (await subscription.ResumeAsync(two)).Should().BeFalse("it is not paused any more");
        await Waiting.Until(() => _handled.Count == 10, "the one that was resumed is handled");
        _handled.Should().OnlyContain(at => at.Partition == 1);
        subscription.PausedPartitions.Should().Equal(one);
        (await subscription.ResumeAsync(one)).Should().BeTrue();
        await Waiting.Until(() => _handled.Count == 20, "all are handled");
    }

    [SkippableFact]
    public async Task Seeking_back_handles_again_from_there_and_commits_it_and_older_handlers_change_nothing()
    {
        var (topic, group) = (await broker.CreateTopicAsync(1), broker.NewGroup());
        await broker.SendAsync(topic, 0, 20, static _ => "k");
        var release = new TaskCompletionSource();
        var runs = 0;
        await using var kafka = await broker.StartAsync(group);
        var subscription = await kafka.SubscribeAsync<string>(topic, async (_, context, _) =>
        {
            if (context.Offset == 15 && Interlocked.Increment(ref runs) == 1)
            {
                await release.Task;
            }

            _handled.Enqueue((context.Partition, context.Offset));
        });
        await Waiting.Until(() => Volatile.Read(ref runs) == 1, "the sixteenth message is being handled");
        await broker.CommittedReaches(group, topic, 0, 15);
        (await subscription.SeekAsync(new TopicPartitionId(topic, 0), 5)).Should().BeTrue();
        await Waiting.Until(() => broker.Committed(group, topic, 0) == 5, "where it continues is committed");
        _handled.Should().HaveCount(15, "the key waits for its running handler");
        release.SetResult();
        await broker.CommittedReaches(group, topic, 0, 20);
        _handled.Select(at => at.Offset).Should().Equal([.. Enumerable.Range(0, 15).Select(n => (long)n), 15, .. Enumerable.Range(5, 15).Select(n => (long)n)]);
    }

    [SkippableFact]
    public async Task Seeking_forward_leaves_out_what_is_between()
    {
        var (topic, group) = (await broker.CreateTopicAsync(1), broker.NewGroup());
        await using var kafka = await broker.StartAsync(group);
        var subscription = await kafka.SubscribeAsync<string>(topic, Count);
        await Waiting.Until(() => subscription.Assignment.Count == 1, "the partition is assigned");
        await subscription.PauseAllAsync();
        await broker.SendAsync(topic, 0, 20);
        await subscription.SeekAsync(new TopicPartitionId(topic, 0), 12);
        await subscription.ResumeAllAsync();
        await Waiting.Until(() => _handled.Count == 8, "the rest is handled");
        _handled.Min(at => at.Offset).Should().Be(12);
        await broker.CommittedReaches(group, topic, 0, 20);
    }

    [SkippableFact]
    public async Task A_replay_handles_everything_again()
    {
        var (topic, group) = (await broker.CreateTopicAsync(2), broker.NewGroup());
        await broker.SendAsync(topic, 0, 10);
        await broker.SendAsync(topic, 1, 10);
        await using var kafka = await broker.StartAsync(group);
        var subscription = await kafka.SubscribeAsync<string>(topic, Count);
        await Waiting.Until(() => _handled.Count == 20, "all are handled");
        (await subscription.SeekToBeginningAsync()).Should()
            .BeEquivalentTo(new Dictionary<TopicPartitionId, long> { [new(topic, 0)] = 0, [new(topic, 1)] = 0 });
        await Waiting.Until(() => _handled.Count == 40, "all are handled again");
        _handled.GroupBy(at => at).Should().OnlyContain(group => group.Count() == 2);
    }

    [SkippableTheory]
    [InlineData(-1)]   // the client's word for "the end"
    [InlineData(-2)]   // and for the start
    [InlineData(-86_400_000)]
    public async Task A_time_before_1970_is_the_start(long milliseconds)
    {
        var (topic, group) = (await broker.CreateTopicAsync(1), broker.NewGroup());
        await broker.SendAsync(topic, 0, 5);
        await using var kafka = await broker.StartAsync(group);
        var subscription = await kafka.SubscribeAsync<string>(topic, Count);
        await Waiting.Until(() => _handled.Count == 5, "all are handled");

        (await subscription.SeekAsync(DateTimeOffset.FromUnixTimeMilliseconds(milliseconds))).Should()
            .BeEquivalentTo(new Dictionary<TopicPartitionId, long> { [new(topic, 0)] = 0 });
        await Waiting.Until(() => _handled.Count == 10, "all are handled again");
    }

    [SkippableFact]
    [Trait("Trap", "pause-of-another")]
    public async Task What_is_not_assigned_here_is_neither_sought_nor_paused()
    {
        var (topic, group) = (await broker.CreateTopicAsync(1), broker.NewGroup());
        await using var kafka = await broker.StartAsync(group);
        var subscription = await kafka.SubscribeAsync<string>(topic, Count);
        var elsewhere = new TopicPartitionId(topic, 7);
        (await subscription.SeekAsync(elsewhere, 0)).Should().BeFalse();
        (await subscription.PauseAsync(elsewhere)).Should().BeFalse();
        (await subscription.ResumeAsync(elsewhere)).Should().BeFalse();
        await subscription.Invoking(s => s.SeekAsync(elsewhere, -1)).Should().ThrowAsync<ArgumentOutOfRangeException>();
    }

    [SkippableFact]
    public async Task Stopping_one_subscription_finishes_it_and_leaves_the_others_and_its_topic_can_be_subscribed_to_again()
    {
        var (ending, staying, group) = (await broker.CreateTopicAsync(1), await broker.CreateTopicAsync(1), broker.NewGroup());
        var release = new TaskCompletionSource();
        var started = 0;
        await broker.SendAsync(ending, 0, 5, static _ => "k");
        await using var kafka = await broker.StartAsync(group);
        var subscription = await kafka.SubscribeAsync<string>(ending, async (_, _, _) =>
        {
            Interlocked.Increment(ref started);
            await release.Task;
        });
        await kafka.SubscribeAsync<string>(staying, Count);
        await Waiting.Until(() => Volatile.Read(ref started) == 1, "its handler runs");
        var stopping = subscription.StopAsync();
        release.SetResult();
        await stopping.WaitAsync(Waiting.Deadline);
        subscription.State.Should().Be(SubscriptionState.Ended);
        started.Should().Be(1, "nothing was started after that");
        await broker.CommittedReaches(group, ending, 0, 1);
        await broker.SendAsync(staying, 0, 5);
        await Waiting.Until(() => _handled.Count == 5, "the other subscription continues");
        _handled.Clear();
        await kafka.SubscribeAsync<string>(ending, Count);
        await Waiting.Until(() => _handled.Count == 4, "what it had not begun is handled");
        await subscription.StopAsync();
    }

    [SkippableFact]
    public async Task A_groups_only_subscription_can_be_stopped_and_made_again()
    {
        var (topic, group) = (await broker.CreateTopicAsync(1), broker.NewGroup());
        await broker.SendAsync(topic, 0, 3);
        await using var kafka = await broker.StartAsync(group);
        var subscription = await kafka.SubscribeAsync<string>(topic, Count);
        await Waiting.Until(() => _handled.Count == 3, "all are handled");
        await subscription.StopAsync().WaitAsync(Waiting.Deadline);
        await broker.SendAsync(topic, 0, 3);
        await kafka.SubscribeAsync<string>(topic, Count).WaitAsync(Waiting.Deadline);
        await Waiting.Until(() => _handled.Count == 6, "the next three are handled, and none again");
    }

    protected IEnumerable<int> HandledPartitions => _handled.Select(at => at.Partition);

    protected Task Count(string message, MessageContext context, CancellationToken token)
    {
        _handled.Enqueue((context.Partition, context.Offset));
        return Task.CompletedTask;
    }
}

public sealed class ControlOnEmbedded(EmbeddedTestBroker broker) : ControlContract<EmbeddedTestBroker>(broker)
{
    private readonly EmbeddedTestBroker _broker = broker;

    // The client forgets a pause at no assignment and refuses one inside it; and before the first one there is no client.
    [Fact]
    [Trait("Trap", "pause-while-assigned")]
    public async Task A_partition_that_is_paused_before_any_broker_answers_is_paused_when_it_is_assigned()
    {
        using var own = new EmbeddedTestBroker();
        var (topic, group) = (await own.CreateTopicAsync(2), own.NewGroup());
        await own.SendAsync(topic, 0, 5);
        await own.SendAsync(topic, 1, 5);
        await using var kafka = await own.StartAsync(group, o => o.ConnectTimeout = TimeSpan.FromSeconds(1));
        own.Broker.StopBroker();
        var subscribing = kafka.SubscribeAsync<string>(topic, Count);
        var subscription = kafka.Subscriptions.Single();
        kafka.Groups.Single().Loop.Should().BeNull("no topic was found");
        (await subscription.PauseAsync(new TopicPartitionId(topic, 0))).Should().BeFalse("it is not assigned");
        (await subscription.PauseAsync(new TopicPartitionId(topic, 1))).Should().BeFalse();
        (await subscription.ResumeAsync(new TopicPartitionId(topic, 1))).Should().BeFalse();
        own.Broker.StartBroker();
        await subscribing.WaitAsync(Waiting.Deadline);
        await own.CommittedReaches(group, topic, 1, 5);
        HandledPartitions.Should().Equal(1, 1, 1, 1, 1);
        subscription.PausedPartitions.Should().Equal(new TopicPartitionId(topic, 0));
        (await subscription.ResumeAsync(new TopicPartitionId(topic, 0))).Should().BeTrue();
        await own.CommittedReaches(group, topic, 0, 5);
    }

    [Fact]
    [Trait("Trap", "mock-finds-no-time")]
    public async Task Seeking_to_a_time_is_refused_since_it_would_leave_everything_out()
    {
        var topic = await _broker.CreateTopicAsync(1);
        await using var kafka = await _broker.StartAsync(_broker.NewGroup());
        var subscription = await kafka.SubscribeAsync<string>(topic, Count);
        (await subscription.Invoking(s => s.SeekAsync(DateTimeOffset.UtcNow)).Should().ThrowAsync<NotSupportedException>())
            .WithMessage("*Seek to an offset, or call SeekToBeginningAsync*");
    }
}

public sealed class ControlOnKafka(KafkaTestBroker broker) : ControlContract<KafkaTestBroker>(broker)
{
    private readonly KafkaTestBroker _broker = broker;

    [SkippableTheory]
    [InlineData(KafkaGroupProtocol.Classic)]
    [InlineData(KafkaGroupProtocol.Consumer)]
    [Trait("Trap", "pause-while-assigned")]
    public async Task A_partition_that_is_paused_before_its_topic_exists_is_paused_when_it_is_assigned(KafkaGroupProtocol protocol)
    {
        var (topic, group) = (RealKafka.NewName("later"), _broker.NewGroup());
        await using var kafka = await _broker.StartAsync(group, o => o.GroupProtocol = protocol);
        var subscription = await kafka.SubscribeAsync<string>(topic, Count);
        subscription.State.Should().Be(SubscriptionState.TopicMissing);
        kafka.Groups.Single().Loop.Should().BeNull();
        (await subscription.PauseAsync(new TopicPartitionId(topic, 0))).Should().BeFalse("it is not assigned");
        await _broker.CreateTopicAsync(topic, 2);
        await _broker.SendAsync(topic, 0, 5);
        await _broker.SendAsync(topic, 1, 5);
        await _broker.CommittedReaches(group, topic, 1, 5);
        HandledPartitions.Should().Equal(1, 1, 1, 1, 1);
        subscription.PausedPartitions.Should().Equal(new TopicPartitionId(topic, 0));
        (await subscription.ResumeAsync(new TopicPartitionId(topic, 0))).Should().BeTrue();
        await _broker.CommittedReaches(group, topic, 0, 5);
    }

    [SkippableFact]
    public async Task Seeking_to_a_time_goes_on_at_its_first_message_or_at_the_end()
    {
        var (topic, group) = (await _broker.CreateTopicAsync(2), _broker.NewGroup());
        await _broker.SendAsync(topic, 0, 5);
        await _broker.SendAsync(topic, 1, 5);
        var before = DateTimeOffset.UtcNow;
        await Waiting.Until(() => DateTimeOffset.UtcNow > before + TimeSpan.FromMilliseconds(20), "the clock continues");
        var middle = DateTimeOffset.UtcNow;
        await _broker.SendAsync(topic, 0, 5);
        var handled = new ConcurrentQueue<(int Partition, long Offset)>();
        await using var kafka = await _broker.StartAsync(group);
        var subscription = await kafka.SubscribeAsync<string>(topic, (_, context, _) =>
        {
            handled.Enqueue((context.Partition, context.Offset));
            return Task.CompletedTask;
        });
        await Waiting.Until(() => handled.Count == 15, "all are handled");
        (await subscription.SeekAsync(middle)).Should().BeEquivalentTo(new Dictionary<TopicPartitionId, long> { [new(topic, 0)] = 5, [new(topic, 1)] = 5 });
        await Waiting.Until(() => handled.Count == 20, "five are handled again");
        handled.Skip(15).Should().OnlyContain(at => at.Partition == 0 && at.Offset >= 5);
    }
}
