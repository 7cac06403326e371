using System.Collections.Concurrent;

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
        handled.Should().Equal(Enumerable.Range(0, 10).Select(n => (long)n));
    }

    // Each partition's handler runs until it is cancelled, so giving it away takes all of the RevokeTimeout there is by default.
    [SkippableTheory]
    [MemberData(nameof(Ways))]
    [Trait("Trap", "evicted-while-draining")]
    [Trait("Promise", "S11")]
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
            (options.GroupProtocol, options.Assignor, options.SessionTimeout, options.MaxPollInterval) = (protocol, assignor, broker.ShortestSession, broker.ShortestSession + Brief);
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
            await Waiting.Until(() => kafka.Groups.Single().Loop!.HeldMessages == 20, "the messages came again");
            end.Set();
            await broker.CommittedReaches(group, topic, 0, 10);
            await broker.CommittedReaches(group, topic, 1, 10);
        }
        finally
        {
            end.Set();
        }
    }

    protected const int Lost = 3003;
    protected const int RevokeDeadline = 3004;
}

public sealed class TrapsOnEmbedded(EmbeddedTestBroker broker) : TrapContract<EmbeddedTestBroker>(broker);

public sealed class TrapsOnKafka(KafkaTestBroker broker) : TrapContract<KafkaTestBroker>(broker);
