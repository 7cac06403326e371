using System.Collections.Concurrent;
using Narad.Kafka.Shared;

namespace Narad.Kafka.Tests.Consuming;

/// <summary>Members come, go and are slow.</summary>
public abstract class RebalanceContract<TBroker>(TBroker broker) : IClassFixture<TBroker>
    where TBroker : TestBroker
{
    private static readonly TimeSpan Brief = TimeSpan.FromSeconds(1);

    public static TheoryData<KafkaGroupProtocol, KafkaAssignor> Ways => new()
    {
        { KafkaGroupProtocol.Classic, KafkaAssignor.CooperativeSticky },
        { KafkaGroupProtocol.Classic, KafkaAssignor.Range },
        { KafkaGroupProtocol.Consumer, KafkaAssignor.CooperativeSticky },
    };

    [SkippableTheory]
    [MemberData(nameof(Ways))]
    [Trait("Promise", "S11")]
    [Trait("Promise", "S16")]
    [Trait("Promise", "S34")]
    [Long]
    public Task A_second_member_takes_over_without_a_loss_or_an_inversion_and_what_was_finished_ahead_is_not_repeated(
        KafkaGroupProtocol protocol, KafkaAssignor assignor) =>
        TakeOverAsync(protocol, assignor, static s => s.Order = MessageOrder.ByKey, duplicates: !broker.CommitsWhileRebalancing(protocol));

    [SkippableTheory]
    [MemberData(nameof(Ways))]
    [Trait("Promise", "S11")]
    [Trait("Promise", "S16")]
    [Trait("Trap", "commit-before-hand-over")]
    [Trait("Trap", "offsets-from-handlers")]
    public Task What_was_finished_in_order_is_committed_before_the_hand_over_and_never_repeated(KafkaGroupProtocol protocol, KafkaAssignor assignor)
    {
        Skip.IfNot(broker.CommitsWhileRebalancing(protocol),
            "The embedded broker refuses commits while a classic group rebalances, so what was finished last is repeated.");
        return TakeOverAsync(protocol, assignor, static s => s.Order = MessageOrder.ByPartition, duplicates: false);
    }

    private async Task TakeOverAsync(KafkaGroupProtocol protocol, KafkaAssignor assignor, Action<SubscriptionOptions> configure, bool duplicates)
    {
        var (topic, group) = (await broker.CreateTopicAsync(4), broker.NewGroup());
        var order = new OrderCheck();
        var handled = new ConcurrentDictionary<(int, long), int>();
        var bySecond = 0;
        async Task Handle(MessageContext context, bool second)
        {
            using (order.Enter(context))
            {
                await Task.Delay(Random.Shared.Next(15));
                handled.AddOrUpdate((context.Partition, context.Offset), 1, static (_, n) => n + 1);
                if (second)
                {
                    Interlocked.Increment(ref bySecond);
                }
            }
        }

        await using var first = await broker.StartAsync(group, o => (o.GroupProtocol, o.Assignor) = (protocol, assignor));
        await first.SubscribeAsync<string>(topic, (_, context, _) => Handle(context, second: false), configure: configure);
        var sent = 0;
        await SendAsync();
        await Waiting.Until(() => handled.Count > 20, "the first member handles");
        await using (var second = await broker.StartAsync(group, o => (o.GroupProtocol, o.Assignor) = (protocol, assignor)))
        {
            var subscribing = second.SubscribeAsync<string>(topic, (_, context, _) => Handle(context, second: true), configure: configure);
            while (Volatile.Read(ref bySecond) < 50)
            {
                await SendAsync();
                var goal = sent - 40;
                await Waiting.Until(() => handled.Count > goal, "messages are handled while members come");
            }

            await subscribing;
            await SendAsync();
        }

        await SendAsync();
        await Waiting.Until(() => handled.Count == sent, "everything is handled");
        order.Faults.Should().BeEmpty();
        if (!duplicates)
        {
            handled.Where(at => at.Value != 1).Should().BeEmpty("an orderly rebalance repeats nothing");
        }

        async Task SendAsync()
        {
            for (var partition = 0; partition < 4; partition++)
            {
                await broker.SendAsync(topic, partition, 20, n => $"k{n % 5}", sent / 4);
            }

            sent += 80;
        }
    }

    [SkippableTheory]
    [MemberData(nameof(Ways))]
    [Trait("Promise", "S11")]
    [Trait("Promise", "S10")]
    [Trait("Promise", "S8")]
    [Trait("Trap", "stale-commit")]
    [Long]
    public async Task A_handler_that_outlives_its_assignment_is_cancelled_and_changes_nothing_even_when_the_partition_comes_back(KafkaGroupProtocol protocol,
        KafkaAssignor assignor)
    {
        var (topic, group) = (await broker.CreateTopicAsync(2), broker.NewGroup());
        var runs = new ConcurrentQueue<Run>();
        var inside = new int[2];
        var overlaps = 0;
        await using var first = await broker.StartAsync(group, o => (o.GroupProtocol, o.Assignor, o.RevokeTimeout) = (protocol, assignor, Brief));
        var subscription = await first.SubscribeAsync<string>(topic, async (_, context, token) =>
        {
            if (Interlocked.Increment(ref inside[context.Partition]) != 1)
            {
                Interlocked.Increment(ref overlaps);
            }

            var run = new Run(context.Partition, context.Offset, token);
            runs.Enqueue(run);
            await run.Release.Task;
            Interlocked.Decrement(ref inside[context.Partition]);
        });
        await broker.SendAsync(topic, 0, 2, static _ => "k");
        await broker.SendAsync(topic, 1, 2, static _ => "k");
        await Waiting.Until(() => runs.Count == 2, "a handler of each partition runs");

        var blocked = new TaskCompletionSource();
        int moved;
        await using (var second = await broker.StartAsync(group, o =>
            (o.GroupProtocol, o.Assignor, o.RevokeTimeout, o.ShutdownTimeout) = (protocol, assignor, Brief, Brief)))
        {
            var other = await second.SubscribeAsync<string>(topic, (_, _, token) => blocked.Task.WaitAsync(token));
            await Waiting.Until(() => other.Assignment.Count == 1 && subscription.Assignment.Count == 1, "each has one");
            moved = other.Assignment[0].Partition;
            await Waiting.Until(() => runs.First(run => run.Partition == moved)
                .Token.IsCancellationRequested, "the handler that outlived its assignment was cancelled");
        }

        await Waiting.Until(() => subscription.Assignment.Count == 2, "the partition came back");
        var old = runs.First(run => run.Partition == moved);
        await Waiting.Until(() => first.Groups.Single().Loop!.BufferedMessages == 4, "its messages are here again, behind the old handler");
        old.Release.SetResult();
        await Waiting.Until(() => runs.Count(run => run.Partition == moved && !run.Token.IsCancellationRequested) > 0,
            "the message is handled again under its new assignment");
        var again = runs.Last(run => run.Partition == moved);
        again.Offset.Should().Be(0, "what the old handler finished changed nothing");

        // A round of commits later, which the other partition shows, that is still so.
        await Waiting.Until(
            () =>
            {
                foreach (var run in runs.Where(run => run.Partition != moved))
                {
                    run.Release.TrySetResult();
                }

                return broker.Committed(group, topic, 1 - moved) == 2;
            },
            "the other partition is finished");
        broker.Committed(group, topic, moved).Should().BeLessThanOrEqualTo(0);
        first.Groups.Single().Loop!.BufferedMessages.Should().Be(2, "what was held for the old assignment is counted no more");
        overlaps.Should().Be(0, "a new epoch's key queue waits for the old epoch's handler");

        await Waiting.Until(
            () =>
            {
                foreach (var run in runs)
                {
                    run.Release.TrySetResult();
                }

                return broker.Committed(group, topic, 0) == 2 && broker.Committed(group, topic, 1) == 2;
            },
            "everything is finished");
        overlaps.Should().Be(0);
    }

    [SkippableTheory]
    [MemberData(nameof(Ways))]
    [Trait("Promise", "S9")]
    [Trait("Promise", "S11")]
    [Trait("Trap", "pause-outlives-assignment")]
    [Long]
    public async Task A_partition_that_was_paused_when_it_left_is_read_when_it_comes_back(KafkaGroupProtocol protocol, KafkaAssignor assignor)
    {
        var (topic, group) = (await broker.CreateTopicAsync(2), broker.NewGroup());
        await broker.SendAsync(topic, 0, 100);
        await broker.SendAsync(topic, 1, 100);
        broker.Commit(group, topic, 0, 1);   // without a committed offset its start would be decided, and that pauses it anew
        broker.Commit(group, topic, 1, 1);
        TaskCompletionSource[] releases = [new(TaskCreationOptions.RunContinuationsAsynchronously), new(TaskCreationOptions.RunContinuationsAsynchronously)];
        void Configure(KafkaOptions options) =>
            (options.GroupProtocol, options.Assignor, options.RevokeTimeout, options.ShutdownTimeout, options.MaxBufferedMessages) = (protocol, assignor,
                TimeSpan.FromMilliseconds(500), Brief, 10);
        await using var first = await broker.StartAsync(group, Configure);
        var subscription = await first.SubscribeAsync<string>(topic, (_, context, token) => releases[context.Partition].Task.WaitAsync(token));
        await Waiting.Until(() => first.Groups.Single().Loop!.BufferedMessages >= 9, "both partitions are paused at their quota");
        int kept;
        await using (var second = await broker.StartAsync(group, Configure))
        {
            var other = await second.SubscribeAsync<string>(topic, (_, _, token) => Task.Delay(Timeout.Infinite, token));
            await Waiting.Until(() => other.Assignment.Count == 1 && subscription.Assignment.Count == 1, "each has one");

            // The one that stayed is done: the group has room when the other comes back, and no reason of its own to pause and resume it.
            kept = subscription.Assignment[0].Partition;
            releases[kept].SetResult();
            await broker.CommittedReaches(group, topic, kept, 100);
        }

        await Waiting.Until(() => subscription.Assignment.Count == 2, "the partition came back");
        releases[1 - kept].SetResult();
        await broker.CommittedReaches(group, topic, 1 - kept, 100);
    }

    [SkippableFact]
    [Trait("Promise", "S9")]
    public async Task A_handler_slower_than_the_poll_interval_keeps_its_membership_and_loses_nothing()
    {
        var (topic, group) = (await broker.CreateTopicAsync(2), broker.NewGroup());
        await broker.SendAsync(topic, 0, 30, static _ => "slow");
        await broker.SendAsync(topic, 1, 30);
        var handled = new ConcurrentDictionary<(int, long), int>();
        var cancelled = 0;
        await using var kafka = await broker.StartAsync(group, o =>
            (o.SessionTimeout, o.MaxPollInterval, o.MaxBufferedMessages) = (broker.ShortestSession, broker.ShortestSession, 20));
        await kafka.SubscribeAsync<string>(topic, async (_, context, token) =>
        {
            if (context is { Partition: 0, Offset: 0 })
            {
                await using var watch = token.Register(() => Interlocked.Increment(ref cancelled));
                await Task.Delay(broker.ShortestSession + TimeSpan.FromSeconds(2), CancellationToken.None);
            }

            handled.AddOrUpdate((context.Partition, context.Offset), 1, static (_, n) => n + 1);
        });
        await Waiting.Until(() => handled.Count == 60, "all are handled");
        cancelled.Should().Be(0, "the member was never evicted");
        handled.Values.Should().AllBeEquivalentTo(1);
    }

    [SkippableFact]
    [Trait("Promise", "S9")]
    public async Task A_slow_partition_never_starves_another()
    {
        var (topic, group) = (await broker.CreateTopicAsync(2), broker.NewGroup());
        await broker.SendAsync(topic, 0, 500);
        var slow = 0;
        var fast = 0;
        await using var kafka = await broker.StartAsync(group, o => o.ShutdownTimeout = Brief);
        await kafka.SubscribeAsync<string>(
            topic,
            async (_, context, token) =>
            {
                if (context.Partition == 0)
                {
                    await Task.Delay(200, token);
                    Interlocked.Increment(ref slow);
                }
                else
                {
                    Interlocked.Increment(ref fast);
                }
            },
            configure: s => s.Parallelism = 2);
        await Waiting.Until(() => kafka.Groups.Single().Loop!.BufferedMessages > 400, "the slow partition's messages wait for a handler");
        await broker.SendAsync(topic, 1, 20);
        await Waiting.Until(() => Volatile.Read(ref fast) == 20, "the other partition is handled meanwhile");
        Volatile.Read(ref slow).Should().BeLessThan(100, "the slow one is far from done");
    }

    [SkippableFact]
    [Trait("Promise", "S9")]
    [Trait("Trap", "pause-refetches")]
    public async Task A_partition_that_was_full_is_fetched_again_at_once()
    {
        var (topic, group) = (await broker.CreateTopicAsync(1), broker.NewGroup());
        await broker.SendAsync(topic, 0, 8_000);
        var handled = 0;
        var (looks, idle) = (0, 0);
        await using var kafka = await broker.StartAsync(group, o => o.MaxBufferedMessages = 1_000);
        await kafka.SubscribeAsync<string>(
            topic,
            async (_, _, _) =>
            {
                await Task.Delay(5);
                Interlocked.Increment(ref handled);
            },
            configure: s => { s.Parallelism = 20; s.Order = MessageOrder.Unordered; });
        await Waiting.Until(() => Volatile.Read(ref handled) > 0, "the first is handled");
        var loop = kafka.Groups.Single().Loop!;
        await Waiting.Until(
            () =>
            {
                looks++;
                idle += loop.BufferedMessages == 0 ? 1 : 0;
                return Volatile.Read(ref handled) == 8_000;
            },
            "all are handled");
        idle.Should().BeLessThan(looks / 6, "a pause does not leave the handlers without work for most of a second");
    }

    // Its handler never looks at its token, and finishes only after the partition is here again.
    [SkippableTheory]
    [InlineData(KafkaGroupProtocol.Classic)]
    [InlineData(KafkaGroupProtocol.Consumer)]
    [Trait("Promise", "S10")]
    [Trait("Promise", "S11")]
    [Trait("Trap", "lost-without-handler")]
    public async Task A_lost_assignment_cancels_its_handlers_at_once_and_its_messages_are_handled_again(KafkaGroupProtocol protocol)
    {
        broker.SkipUnlessItEvicts(protocol);
        var (topic, group) = (await broker.CreateTopicAsync(1), broker.NewGroup());
        await broker.SendAsync(topic, 0, 3, static _ => "k");
        var runs = new ConcurrentQueue<Run>();
        var released = 0;
        await using var kafka = await broker.StartAsync(group, o =>
            (o.GroupProtocol, o.RevokeTimeout, o.ShutdownTimeout) = (protocol, TimeSpan.FromMinutes(2), TimeSpan.FromMinutes(2)));
        var subscription = await kafka.SubscribeAsync<string>(topic, async (_, context, token) =>
        {
            var run = new Run(context.Partition, context.Offset, token);
            runs.Enqueue(run);
            if (Volatile.Read(ref released) == 0)
            {
                await run.Release.Task;
            }
        });
        await Waiting.Until(() => runs.Count == 1, "a handler runs");
        var lost = runs.First();
        await broker.EvictAsync(group, protocol);
        await Waiting.Until(() => lost.Token.IsCancellationRequested, "the handler is cancelled");
        await Waiting.Until(() => subscription.Assignment.Count == 1 && kafka.Groups.Single().Loop!.BufferedMessages == 3, "the messages came again");
        Volatile.Write(ref released, 1);
        lost.Release.SetResult();
        await broker.CommittedReaches(group, topic, 0, 3);
        runs.Select(run => run.Offset).Should().Equal(0, 0, 1, 2);
        await Waiting.Until(() => kafka.Groups.Single().Loop!.BufferedMessages == 0, "nothing is held, and nothing was counted twice");
    }

    // The key would otherwise wait for the old epoch's hour.
    [SkippableFact]
    [Trait("Promise", "S11")]
    public async Task What_waits_for_a_retry_is_dropped_with_its_assignment_and_handled_anew()
    {
        var (topic, group) = (await broker.CreateTopicAsync(1), broker.NewGroup());
        await broker.SendAsync(topic, 0, 2, static _ => "k");
        var attempts = new ConcurrentQueue<(long Offset, int Attempt)>();
        await using var kafka = await broker.StartAsync(group);
        await kafka.SubscribeAsync<string>(
            topic,
            (_, context, _) =>
            {
                attempts.Enqueue((context.Offset, context.Attempt));
                return attempts.Count == 1 ? throw new InvalidOperationException("later") : Task.CompletedTask;
            },
            configure: s => { s.Retry.InMemory.MaxAttempts = 1; s.Retry.InMemory.DelayGenerator = static _ => TimeSpan.FromHours(1); });
        await Waiting.Until(() => attempts.Count == 1, "the message waits");
        await broker.EvictAsync(group, KafkaGroupProtocol.Classic);
        await broker.CommittedReaches(group, topic, 0, 2);
        attempts.Should().Equal((0, 1), (0, 1), (1, 1));
        await Waiting.Until(() => kafka.Groups.Single().Loop!.BufferedMessages == 0, "nothing is held");
    }

    [SkippableFact]
    [Trait("Promise", "S11")]
    [Trait("Trap", "fenced-and-quiet")]
    public async Task A_static_identity_that_another_process_took_over_cancels_the_handlers_commits_nothing_and_says_so()
    {
        var (topic, group) = (await broker.CreateTopicAsync(1), broker.NewGroup());
        await broker.SendAsync(topic, 0, 3, static _ => "k");
        var started = new TaskCompletionSource<CancellationToken>();
        var release = new TaskCompletionSource();
        await using var kafka = await broker.StartAsync(group, o => o.GroupInstanceId = group);
        var subscription = await kafka.SubscribeAsync<string>(topic, async (_, _, token) =>
        {
            started.TrySetResult(token);
            await release.Task;
        });
        var token = await started.Task.WaitAsync(Waiting.Deadline);
        await broker.TakeOverAsync(group, topic, group);
        await Waiting.Until(() => token.IsCancellationRequested, "the handler is cancelled");
        release.SetResult();
        await Waiting.Until(() => subscription.State is SubscriptionState.Faulted, "the subscription says so");
        subscription.Error.Should().BeOfType<KafkaConnectionException>("it is {0}", subscription.Error).Which.Message.Should().Contain(group)
            .And.Contain("GroupInstanceId");
        subscription.Assignment.Should().BeEmpty();
        broker.Committed(group, topic, 0).Should().BeLessThanOrEqualTo(0);
    }

    // The slow ones could fill the whole buffer: nothing of the other partition would be fetched any more.
    [SkippableFact]
    [Trait("Promise", "S9")]
    [Trait("Promise", "S13")]
    public async Task A_partition_whose_handlers_hang_leaves_the_others_their_share_of_the_buffer()
    {
        var (topic, group) = (await broker.CreateTopicAsync(2), broker.NewGroup());
        await broker.SendAsync(topic, 0, 300);
        var release = new TaskCompletionSource();
        await using var kafka = await broker.StartAsync(group, o => (o.MaxBufferedMessages, o.ShutdownTimeout) = (60, Brief));
        await kafka.SubscribeAsync<string>(topic, (_, context, token) => context.Partition == 0 ? release.Task.WaitAsync(token)
            : Task.CompletedTask, configure: s => s.Parallelism = 100);
        await Waiting.Until(() => kafka.Groups.Single().Loop!.BufferedMessages >= 30, "the hanging partition has its share");
        await broker.SendAsync(topic, 1, 100);
        await broker.CommittedReaches(group, topic, 1, 100);
        kafka.Groups.Single().Loop!.BufferedMessages.Should().BeLessThan(60);
        release.SetResult();
        await broker.CommittedReaches(group, topic, 0, 300);
    }

    private sealed record Run(int Partition, long Offset, CancellationToken Token)
    {
        public TaskCompletionSource Release { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}

public sealed class RebalancesOnEmbedded(EmbeddedTestBroker broker) : RebalanceContract<EmbeddedTestBroker>(broker)
{
    private readonly EmbeddedTestBroker _broker = broker;

    [Fact]
    [Trait("Promise", "S11")]
    [Trait("Trap", "fatal-without-callback")]
    [Long]
    public async Task After_a_fatal_error_the_handlers_are_cancelled_and_a_new_client_goes_on_where_the_group_stands()
    {
        var (topic, group) = (await _broker.CreateTopicAsync(1), _broker.NewGroup());
        await _broker.SendAsync(topic, 0, 5, static _ => "k");
        var handled = new ConcurrentQueue<long>();
        var started = new TaskCompletionSource<CancellationToken>();
        await using var kafka = await _broker.StartAsync(group, o => o.GroupProtocol = KafkaGroupProtocol.Consumer);
        var subscription = await kafka.SubscribeAsync<string>(topic, async (_, context, token) =>
        {
            if (context.Offset == 2 && started.TrySetResult(token))
            {
                await Task.Delay(Timeout.Infinite, token);
            }

            handled.Enqueue(context.Offset);
        });
        var token = await started.Task.WaitAsync(Waiting.Deadline);
        await _broker.CommittedReaches(group, topic, 0, 2);
        _broker.Broker.FailNext(KafkaRequest.ConsumerGroupHeartbeat, Confluent.Kafka.ErrorCode.UnsupportedAssignor);
        await Waiting.Until(() => token.IsCancellationRequested, "the handler is cancelled");
        await _broker.CommittedReaches(group, topic, 0, 5);
        handled.Should().Equal(0, 1, 2, 3, 4);
        subscription.State.Should().Be(SubscriptionState.Running);
        await Waiting.Until(() => kafka.Groups.Single().Loop!.BufferedMessages == 0, "nothing is held, and nothing was counted twice");
    }
}

public sealed class RebalancesOnKafka(KafkaTestBroker broker) : RebalanceContract<KafkaTestBroker>(broker);
