using System.Collections.Concurrent;
using System.Diagnostics;
using Narad.Kafka.Shared;

namespace Narad.Kafka.Tests.Consuming;

/// <summary>Where the client, used as its documentation suggests, loses messages or members; see docs/traps.md.</summary>
public abstract class TrapContract<TBroker>(TBroker broker) : IClassFixture<TBroker>
    where TBroker : TestBroker
{
    private static readonly TimeSpan Brief = TimeSpan.FromSeconds(1);

    public static TheoryData<KafkaGroupProtocol, KafkaAssignor> Ways => new()
    {
        { KafkaGroupProtocol.Classic, KafkaAssignor.CooperativeSticky },
        { KafkaGroupProtocol.Classic, KafkaAssignor.Range },
        { KafkaGroupProtocol.Consumer, KafkaAssignor.CooperativeSticky },
    };

    // The late completion is of a partition that another member has meanwhile handled to its end.
    [SkippableTheory]
    [MemberData(nameof(Ways))]
    [Trait("Trap", "stale-commit")]
    [Trait("Promise", "S10")]
    [Long]
    public async Task What_a_former_owner_finishes_late_never_rewinds_what_the_new_one_committed(KafkaGroupProtocol protocol, KafkaAssignor assignor)
    {
        var (topic, group) = (await broker.CreateTopicAsync(2), broker.NewGroup());
        await broker.SendAsync(topic, 0, 50, static _ => "k");
        await broker.SendAsync(topic, 1, 50, static _ => "k");
        var late = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var handled = new ConcurrentQueue<(bool First, int Partition, long Offset)>();
        var started = 0;
        var ended = 0;
        void Configure(KafkaOptions options) => (options.GroupProtocol, options.Assignor, options.RevokeTimeout) = (protocol, assignor, Brief);
        await using var first = await broker.StartAsync(group, Configure);
        var subscription = await first.SubscribeAsync<string>(topic, async (_, context, _) =>
        {
            if (context.Offset == 5 && Interlocked.Increment(ref started) <= 2)
            {
                await late.Task;
                Interlocked.Increment(ref ended);
            }

            handled.Enqueue((true, context.Partition, context.Offset));
        });
        await Waiting.Until(() => Volatile.Read(ref started) == 2, "a handler of each partition hangs");
        await broker.CommittedReaches(group, topic, 0, 5);   // the embedded broker refuses commits while a classic group rebalances
        await broker.CommittedReaches(group, topic, 1, 5);
        int moved;
        await using (var second = await broker.StartAsync(group, Configure))
        {
            var other = await second.SubscribeAsync<string>(topic, (_, context, _) =>
            {
                handled.Enqueue((false, context.Partition, context.Offset));
                return Task.CompletedTask;
            });
            await Waiting.Until(() => other.Assignment.Count == 1 && subscription.Assignment.Count == 1, "each has one");
            moved = other.Assignment[0].Partition;
            await broker.CommittedReaches(group, topic, moved, 50);
            late.SetResult();
            await Waiting.Until(() => Volatile.Read(ref ended) == 2, "both old handlers end");

            // Two rounds of commits later, which the partition that stayed shows, the other one still stands where its owner committed it.
            await broker.CommittedReaches(group, topic, 1 - moved, 50);
            await broker.SendAsync(topic, 1 - moved, 1);
            await broker.CommittedReaches(group, topic, 1 - moved, 51);
            broker.Committed(group, topic, moved).Should().Be(50);
        }

        await Waiting.Until(() => subscription.Assignment.Count == 2, "the partition came back");
        await broker.SendAsync(topic, moved, 1);
        await broker.CommittedReaches(group, topic, moved, 51);
        handled.Where(at => !at.First && at.Partition == moved).Select(at => at.Offset).Should().Equal(Enumerable.Range(5, 45).Select(n => (long)n));
        handled.Where(at => at.First && at.Partition == moved).Select(at => at.Offset).Should().Equal([0, 1, 2, 3, 4, 5, 50], "the late one changed nothing");
    }

    // The client says so by an assignment without partitions, or (KIP-848) not at all.
    [SkippableTheory]
    [MemberData(nameof(Ways))]
    [Trait("Trap", "empty-assignment")]
    public async Task A_member_that_no_partition_is_left_for_has_joined_all_the_same_and_takes_over(KafkaGroupProtocol protocol, KafkaAssignor assignor)
    {
        var (topic, group) = (await broker.CreateTopicAsync(1), broker.NewGroup());
        void Configure(KafkaOptions options) => (options.GroupProtocol, options.Assignor) = (protocol, assignor);
        var handled = new ConcurrentQueue<long>();
        Task Handle(string message, MessageContext context, CancellationToken token)
        {
            handled.Enqueue(context.Offset);
            return Task.CompletedTask;
        }

        var first = await broker.StartAsync(group, Configure);
        await using var second = await broker.StartAsync(group, Configure);
        ISubscription idle;
        await using (first)
        {
            var one = await first.SubscribeAsync<string>(topic, Handle);
            var other = await second.SubscribeAsync<string>(topic, Handle).WaitAsync(Waiting.Deadline);
            await Waiting.Until(() => one.Assignment.Count + other.Assignment.Count == 1, "one of them has the partition");
            one.State.Should().Be(SubscriptionState.Running);
            other.State.Should().Be(SubscriptionState.Running);
            await broker.SendAsync(topic, 0, 5);
            await Waiting.Until(() => handled.Count == 5, "it is handled");
            idle = other;
        }

        await Waiting.Until(() => idle.Assignment.Count == 1, "the member that stays has the partition");
        await broker.SendAsync(topic, 0, 5);
        await broker.CommittedReaches(group, topic, 0, 10);
        handled.ToHashSet().Should().BeEquivalentTo(Enumerable.Range(0, 10).Select(n => (long)n));
    }

    // Each partition's handler runs until it is cancelled, so giving it away takes all of the RevokeTimeout there is by default.
    [SkippableTheory]
    [MemberData(nameof(Ways))]
    [Trait("Trap", "evicted-while-draining")]
    [Trait("Promise", "S11")]
    [Long]
    public async Task A_member_that_drains_as_long_as_it_may_is_not_evicted(KafkaGroupProtocol protocol, KafkaAssignor assignor)
    {
        var (topic, group) = (await broker.CreateTopicAsync(4), broker.NewGroup());
        for (var partition = 0; partition < 4; partition++)
        {
            await broker.SendAsync(topic, partition, 1);
        }

        var log = new Service.LogEvents();
        var running = 0;
        void Configure(KafkaOptions options) =>
            (options.GroupProtocol, options.Assignor, options.SessionTimeout, options.MaxPollInterval) = (protocol, assignor, broker.ShortestSession,
                broker.ShortestSession + Brief);
        await using var first = new KafkaService(broker.Options(Configure), log);
        await first.ConnectConsumerAsync(group);
        var subscription = await first.SubscribeAsync<string>(topic, async (_, _, token) =>
        {
            Interlocked.Increment(ref running);
            await Task.Delay(Timeout.Infinite, token);
        });
        await Waiting.Until(() => Volatile.Read(ref running) == 4, "a handler of each partition runs");
        await using var second = await broker.StartAsync(group, o =>
        {
            Configure(o);
            o.ShutdownTimeout = Brief;
        });
        var other = await second.SubscribeAsync<string>(topic, (_, _, token) => Task.Delay(Timeout.Infinite, token));
        await Waiting.Until(() => log.Count(RevokeDeadline) > 0 && subscription.Assignment.Count == 2 && other.Assignment.Count == 2, "each has two");
        log.Count(Lost).Should().Be(0, "the group waited for it");
    }

    // The topic is another one, its offsets begin anew, and neither a callback nor an exception says so. A handler of the old one still runs.
    [SkippableTheory]
    [MemberData(nameof(Ways))]
    [Trait("Trap", "topic-recreated")]
    [Trait("Promise", "S15")]
    public Task What_finishes_late_of_a_deleted_topic_changes_nothing_of_the_one_created_again(KafkaGroupProtocol protocol, KafkaAssignor assignor) =>
        RecreateAsync(protocol, assignor, count: 4);

    [SkippableTheory]
    [MemberData(nameof(Ways))]
    [Trait("Promise", "S15")]
    [Trait("Trap", "topic-recreated")]
    public Task A_topic_that_was_created_again_and_is_longer_by_now_is_read_from_its_first_message(KafkaGroupProtocol protocol, KafkaAssignor assignor) =>
        RecreateAsync(protocol, assignor, count: 30);   // the old position, 10, is in it

    private async Task RecreateAsync(KafkaGroupProtocol protocol, KafkaAssignor assignor, int count)
    {
        var (topic, group) = (await broker.CreateTopicAsync(1), broker.NewGroup());
        await broker.SendAsync(topic, 0, 10, static n => $"old {n}");
        var late = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var handled = new ConcurrentQueue<string>();
        var ended = 0;
        await using var kafka = await broker.StartAsync(group, o =>
            (o.GroupProtocol, o.Assignor, o.RevokeTimeout, o.OnOutOfRange) = (protocol, assignor, Brief, OutOfRangePolicy.ResetToEarliest));
        await kafka.SubscribeAsync<string>(topic, async (value, context, _) =>
        {
            if (value == "5")
            {
                await late.Task;
                Interlocked.Increment(ref ended);
            }

            handled.Enqueue(value);
        });
        await Waiting.Until(() => handled.Count == 9, "all but one are handled");
        await broker.CommittedReaches(group, topic, 0, 5);
        await broker.RecreateTopicAsync(topic, 1);
        await broker.SendAsync(topic, 0, Enumerable.Range(0, count).Select(n => ((string?)$"new {n}", $"new {n}")));
        await Waiting.Until(() => New().Count == count, "the new messages are handled");
        await Waiting.Until(() => broker.Committed(group, topic, 0) == count, "the group stands behind them");
        late.SetResult();
        await Waiting.Until(() => Volatile.Read(ref ended) >= 1, "the old handler ends");

        // Two rounds of commits later the group stands behind what was handled of the new topic.
        for (var round = 1; round <= 2; round++)
        {
            await broker.SendAsync(topic, 0, [("more", $"new {count + round - 1}")]);
            await Waiting.Until(() => broker.Committed(group, topic, 0) == count + round, "what came later is committed");
        }

        New().Should().BeEquivalentTo(Enumerable.Range(0, count + 2).Select(n => $"new {n}"));
        await Waiting.Until(() => kafka.Groups.Single().Loop!.BufferedMessages == 0, "nothing is held");

        // Some more than once: what is handled before it shows that the topic is another one.
        HashSet<string> New() => [.. handled.Where(value => value.StartsWith("new", StringComparison.Ordinal))];
    }

    // Held back by a callback of the application's, the poll thread would be out of its group.
    [SkippableFact]
    [Trait("Trap", "throwing-callback")]
    [Trait("Promise", "S10")]
    public async Task What_a_handler_registers_on_its_token_may_throw_or_hang_when_the_assignment_is_lost()
    {
        var (topic, group) = (await broker.CreateTopicAsync(2), broker.NewGroup());
        await broker.SendAsync(topic, 0, 10, static _ => "k");
        await broker.SendAsync(topic, 1, 10, static _ => "k");
        using var end = new ManualResetEventSlim();
        var hanging = 0;
        await using var kafka = await broker.StartAsync(group);
        await kafka.SubscribeAsync<string>(topic, async (_, context, token) =>
        {
            if (context.Offset == 0 && Interlocked.Increment(ref hanging) <= 2)
            {
                using var throwing = token.Register(static () => throw new InvalidOperationException("a callback of the application's"));
                using var slow = token.Register(end.Wait);
                await Task.Delay(Timeout.Infinite, token);
            }
        });
        try
        {
            await Waiting.Until(() => Volatile.Read(ref hanging) == 2, "a handler of each partition runs");
            await broker.EvictAsync(group, KafkaGroupProtocol.Classic);
            await Waiting.Until(() => kafka.Groups.Single().Loop!.BufferedMessages == 20, "the messages came again");
            end.Set();
            await broker.CommittedReaches(group, topic, 0, 10);
            await broker.CommittedReaches(group, topic, 1, 10);
        }
        finally
        {
            end.Set();
        }
    }

    protected const int ConnectionLost = 1006;
    protected const int ClientError = 3040;
    protected const int CommitFailed = 3042;
    protected const int Lost = 3003;
    protected const int RevokeDeadline = 3004;
}

public sealed class TrapsOnEmbedded(EmbeddedTestBroker broker) : TrapContract<EmbeddedTestBroker>(broker)
{
    // A response that comes after a minute, for a shutdown of two seconds: closing the client would wait for it.
    [Fact]
    [Trait("Trap", "hung-broker")]
    [Trait("Promise", "S12")]
    public async Task Shutdown_is_bounded_while_the_broker_accepts_everything_and_answers_nothing()
    {
        using var own = new EmbeddedTestBroker();
        var (topic, group) = (await own.CreateTopicAsync(1), own.NewGroup());
        await own.SendAsync(topic, 0, 20);
        var handled = 0;
        await using var kafka = await own.StartAsync(group, o => (o.ShutdownTimeout, o.CommitInterval) = (TimeSpan.FromSeconds(2), TimeSpan.FromMinutes(1)));
        await kafka.SubscribeAsync<string>(topic, (_, _, _) =>
        {
            own.Broker.SetLatency(TimeSpan.FromMinutes(1));
            Interlocked.Increment(ref handled);
            return Task.CompletedTask;
        });
        await Waiting.Until(() => Volatile.Read(ref handled) == 20, "all are handled");
        using var stalls = new Stalls();
        var watch = Stopwatch.StartNew();
        var report = await kafka.DisconnectAsync();
        watch.Elapsed.Should().BeLessThan(TimeSpan.FromSeconds(6) + stalls.Allowance);
        report.Abandoned.Should().ContainSingle().Which.Should().Contain("did not close within");
        own.Broker.SetLatency(TimeSpan.Zero);
    }

    // The mock cluster would wait 3 s for more members.
    [Fact]
    [Trait("Trap", "mock-waits-for-members")]
    public async Task A_group_on_the_embedded_broker_starts_at_once()
    {
        using var own = new EmbeddedTestBroker();
        var topic = await own.CreateTopicAsync(1);
        await using var kafka = await own.StartAsync(own.NewGroup());
        using var stalls = new Stalls();
        var watch = Stopwatch.StartNew();
        await kafka.SubscribeAsync<string>(topic, static (_, _, _) => Task.CompletedTask);
        watch.Elapsed.Should().BeLessThan(TimeSpan.FromSeconds(2.9) + stalls.Allowance);
    }

    // Another member joins the group just then.
    [Theory, Trait("Promise", "S12")]
    [InlineData(1)]
    [InlineData(5)]
    public async Task A_last_commit_that_is_refused_is_tried_again_before_the_member_leaves(int times)
    {
        using var own = new EmbeddedTestBroker();
        var (topic, group) = (await own.CreateTopicAsync(1), own.NewGroup());
        await own.SendAsync(topic, 0, 1);
        var release = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var running = 0;
        await using var kafka = await own.StartAsync(group);
        await kafka.SubscribeAsync<string>(topic, (_, _, _) =>
        {
            Interlocked.Increment(ref running);
            return release.Task;
        });
        await Waiting.Until(() => Volatile.Read(ref running) == 1, "the handler runs");
        var stopping = kafka.DisconnectAsync();
        await Waiting.Until(() => kafka.Groups.Single().Loop!.IsStopping, "the shutdown began");
        own.Broker.FailNext(KafkaRequest.OffsetCommit, [.. Enumerable.Repeat(Confluent.Kafka.ErrorCode.RebalanceInProgress, times)]);
        release.SetResult();
        (await stopping).Abandoned.Should().BeEmpty();
        own.Committed(group, topic, 0).Should().Be(1);
    }

    [Fact, Trait("Trap", "no-word-of-return")]
    public async Task While_no_broker_answers_the_log_says_so_and_does_not_repeat_it()
    {
        using var own = new EmbeddedTestBroker();
        var (topic, group) = (await own.CreateTopicAsync(1), own.NewGroup());
        var log = new Service.LogEvents();
        await using var kafka = new KafkaService(own.Options(o => o.ShutdownTimeout = TimeSpan.FromSeconds(2)), log);
        await kafka.ConnectConsumerAsync(group);
        var handled = 0;
        await kafka.SubscribeAsync<string>(topic, (_, _, _) =>
        {
            Interlocked.Increment(ref handled);
            return Task.CompletedTask;
        });
        await own.SendAsync(topic, 0, 1);
        await Waiting.Until(() => Volatile.Read(ref handled) == 1, "it consumes");
        own.Broker.StopBroker();
        await Waiting.Until(() => log.Count(ConnectionLost) > 0, "it says so");
        var watch = Stopwatch.StartNew();
        await Waiting.Until(() => watch.Elapsed > TimeSpan.FromSeconds(6), "several attempts to connect");
        log.Count(ConnectionLost).Should().Be(1);
        log.Count(ClientError).Should().Be(0, "the service says it once for all of its clients");
        own.Broker.StartBroker();
        await own.SendAsync(topic, 0, 1);
        await Waiting.Until(() => Volatile.Read(ref handled) >= 2, "it continues, with the first message again where that was not committed");
        log.Count(CommitFailed).Should().BeLessThan(4);
    }
}

public sealed class TrapsOnKafka(KafkaTestBroker broker) : TrapContract<KafkaTestBroker>(broker)
{
    private readonly KafkaTestBroker _broker = broker;

    // The client learns of it seconds after the first messages were written there.
    [SkippableTheory]
    [MemberData(nameof(Ways))]
    [Trait("Trap", "latest-skips")]
    [Trait("Promise", "S32")]
    public async Task A_partition_that_is_added_is_read_from_its_first_message(KafkaGroupProtocol protocol, KafkaAssignor assignor)
    {
        var (topic, group) = (await _broker.CreateTopicAsync(1), _broker.NewGroup());
        var handled = new ConcurrentQueue<(int Partition, long Offset)>();
        await using var kafka = await _broker.StartAsync(group, o => (o.GroupProtocol, o.Assignor) = (protocol, assignor));
        var subscription = await kafka.SubscribeAsync<string>(topic, (_, context, _) =>
        {
            handled.Enqueue((context.Partition, context.Offset));
            return Task.CompletedTask;
        });
        await Waiting.Until(() => subscription.Assignment.Count == 1, "the first partition is assigned");
        await _broker.AddPartitionsAsync(topic, 2);
        await _broker.SendAsync(topic, 1, 20);
        await _broker.CommittedReaches(group, topic, 1, 20);
        handled.Where(at => at.Partition == 1).Select(at => at.Offset).Should().BeEquivalentTo(Enumerable.Range(0, 20).Select(n => (long)n));
    }

    // Cooperative-sticky, and the next protocol by default, may give one member all of one topic and the other all of the other.
    [SkippableTheory]
    [InlineData(KafkaGroupProtocol.Classic)]
    [InlineData(KafkaGroupProtocol.Consumer)]
    [Trait("Trap", "topics-apart")]
    [Trait("Promise", "S16")]
    public async Task Range_keeps_the_same_partitions_of_two_topics_with_one_member(KafkaGroupProtocol protocol)
    {
        var (one, two, group) = (await _broker.CreateTopicAsync(4), await _broker.CreateTopicAsync(4), _broker.NewGroup());
        var members = new List<KafkaService>();
        try
        {
            for (var count = 1; count <= 3; count++)
            {
                var member = await _broker.StartAsync(group, o => (o.GroupProtocol, o.Assignor) = (protocol, KafkaAssignor.Range));
                members.Add(member);
                await Task.WhenAll(member.SubscribeAsync<string>(one, Nothing), member.SubscribeAsync<string>(two, Nothing));
                await Waiting.Until(() => members.TrueForAll(it => it.Subscriptions.All(subscription => subscription.Assignment.Count > 0))
                    && members.Sum(it => it.Subscriptions.Sum(subscription => subscription.Assignment.Count)) == 8, $"{count} member(s) have all partitions");
                await Waiting.Until(() => members.TrueForAll(it => Of(it, one).SequenceEqual(Of(it, two))),
                    $"{count} member(s) have the same partitions of both topics");
            }
        }
        finally
        {
            await Task.WhenAll(members.Select(member => member.DisposeAsync().AsTask()));
        }

        static Task Nothing(string message, MessageContext context, CancellationToken token) => Task.CompletedTask;
        static IEnumerable<int> Of(KafkaService member, string topic) => member.Subscriptions.Single(subscription => subscription.Topic == topic)
            .Assignment.Select(id => id.Partition);
    }

    // A member that is back within its session has its partitions again, without a rebalance, where it stood.
    [SkippableTheory]
    [InlineData(KafkaGroupProtocol.Classic)]
    [InlineData(KafkaGroupProtocol.Consumer)]
    [Trait("Promise", "S16")]
    public async Task A_static_member_that_restarts_quickly_has_its_partitions_back_without_a_loss_or_a_duplicate(KafkaGroupProtocol protocol)
    {
        var (topic, group) = (await _broker.CreateTopicAsync(4), _broker.NewGroup());
        var handled = new ConcurrentDictionary<(int Partition, long Offset), int>();
        Task Handle(string message, MessageContext context, CancellationToken token)
        {
            handled.AddOrUpdate((context.Partition, context.Offset), 1, static (_, n) => n + 1);
            return Task.CompletedTask;
        }

        Action<KafkaOptions> As(string instance) => o =>
            (o.GroupProtocol, o.GroupInstanceId, o.SessionTimeout) = (protocol, instance, TimeSpan.FromSeconds(20));
        await using var staying = await _broker.StartAsync(group, As("stays"));
        var stays = await staying.SubscribeAsync<string>(topic, Handle);
        var restarting = await _broker.StartAsync(group, As("restarts"));
        try
        {
            var restarts = await restarting.SubscribeAsync<string>(topic, Handle);
            await Waiting.Until(() => stays.Assignment.Count == 2 && restarts.Assignment.Count == 2, "each has two");
            var (kept, own) = (stays.Assignment, restarts.Assignment);
            for (var round = 0; round < 4; round++)
            {
                await SendAsync(round);
                await restarting.DisposeAsync();
                await SendAsync(round);
                restarting = await _broker.StartAsync(group, As("restarts"));
                restarts = await restarting.SubscribeAsync<string>(topic, Handle);
                await Waiting.Until(() => restarts.Assignment.SequenceEqual(own), "it has its partitions again");
                stays.Assignment.Should().Equal(kept, "the other one kept its own");
            }

            await Waiting.Until(() => handled.Count == 4 * 80, "all are handled");
            handled.Values.Should().AllBeEquivalentTo(1);
        }
        finally
        {
            await restarting.DisposeAsync();
        }

        async Task SendAsync(int round)
        {
            for (var partition = 0; partition < 4; partition++)
            {
                await _broker.SendAsync(topic, partition, 10, from: round * 10);
            }
        }
    }
}
