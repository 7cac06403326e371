using System.Collections.Concurrent;
using Confluent.Kafka;
using Narad.Kafka.Shared;
using Narad.Kafka.Tests.Consuming;
using HealthStatus = Microsoft.Extensions.Diagnostics.HealthChecks.HealthStatus;

namespace Narad.Kafka.Tests.Transactions;

/// <summary>Members come and go, are evicted and are fenced, and every input has exactly one output.</summary>
public sealed class ExactlyOnceRebalanceTests(KafkaTestBroker broker) : IClassFixture<KafkaTestBroker>
{
    private const int Fenced = 8005;
    private const int GoesOn = 8008;

    public static TheoryData<KafkaGroupProtocol, KafkaAssignor> Ways => RebalanceContract<KafkaTestBroker>.Ways;

    [SkippableTheory]
    [MemberData(nameof(Ways))]
    [Trait("Promise", "S27")]
    [Long]
    public async Task Members_come_and_go_and_each_of_2000_messages_has_one_output(KafkaGroupProtocol protocol, KafkaAssignor assignor)
    {
        const int Messages = 2_000;
        var exactly = await Exactly.OnAsync(broker, partitions: 6, outputs: 2);
        void Configure(KafkaOptions o) => (o.GroupProtocol, o.Assignor) = (protocol, assignor);
        async Task<KafkaService> JoinAsync()
        {
            var service = await exactly.StartAsync(Configure, logs: false);
            await exactly.SubscribeAsync(service, async (_, _, token) => await Task.Delay(Random.Shared.Next(8), token), transactions: t => t.MaxMessages = 40);
            return service;
        }

        await using var first = await JoinAsync();
        var sending = Task.Run(async () =>
        {
            for (var n = 0; n < Messages; n += 20)
            {
                var from = n;
                await Task.WhenAll(Enumerable.Range(0, 2)
                    .Select(part => exactly.SendAsync((from / 20 + part) % 6, [.. Enumerable.Range(from + (10 * part), 10).Select(number => $"{number}")])));
                await Task.Delay(60);
            }
        });
        for (var round = 0; round < 3; round++)
        {
            await using var second = await JoinAsync();
            var seen = exactly.Invoked.Count;
            await Waiting.Until(() => exactly.Invoked.Count > seen + 80 || sending.IsCompleted, "both handle");
        }

        await sending;
        for (var partition = 0; partition < 6; partition++)
        {
            var end = await broker.EndOfAsync(exactly.Topic, partition);
            await exactly.CommittedReaches(partition, end);
        }

        exactly.Committed(expected: Messages).Order(StringComparer.Ordinal).Should()
            .Equal(Enumerable.Range(0, Messages).Select(static n => $"out-{n}").Order(StringComparer.Ordinal));
    }

    [SkippableFact]
    [Trait("Promise", "S27")]
    public async Task A_member_that_is_evicted_commits_nothing_of_what_it_had()
    {
        var exactly = await Exactly.OnAsync(broker);
        await exactly.SendAsync(0, "a", "b");
        var release = new TaskCompletionSource();
        var (running, cancelled) = (0, 0);
        await using var kafka = await exactly.StartAsync();
        await exactly.SubscribeAsync(kafka, async (message, _, token) =>
        {
            if (message == "b" && !release.Task.IsCompleted)
            {
                await using var registered = token.Register(() => Interlocked.Increment(ref cancelled));
                Interlocked.Increment(ref running);
                await release.Task;
            }
        });
        await Waiting.Until(() => exactly.Invoked.Count == 2 && Volatile.Read(ref running) == 1, "both run, and one of them waits");

        await broker.EvictAsync(exactly.Group, KafkaGroupProtocol.Classic);

        await exactly.Until(() => Volatile.Read(ref cancelled) > 0, "the handler's token is cancelled");
        release.SetResult();
        await exactly.CommittedReaches(0, 2);
        exactly.Committed(expected: 2).Should().BeEquivalentTo("out-a", "out-b");
        exactly.Invoked.Should().HaveCount(4, "what it had was handled again, under its next assignment");
    }

    [SkippableTheory]
    [MemberData(nameof(Ways))]
    [Trait("Promise", "S27")]
    [Long]
    public async Task What_was_sent_for_a_partition_that_went_to_another_member_does_not_count(KafkaGroupProtocol protocol, KafkaAssignor assignor)
    {
        var exactly = await Exactly.OnAsync(broker, partitions: 2);
        void Configure(KafkaOptions o) => (o.GroupProtocol, o.Assignor, o.RevokeTimeout) = (protocol, assignor, TimeSpan.FromSeconds(1));
        await exactly.SendAsync(0, "0-a");
        await exactly.SendAsync(1, "1-a");
        var release = new TaskCompletionSource();
        await using var first = await exactly.StartAsync(Configure);
        await exactly.SubscribeAsync(first, (_, _, _) => release.Task, transactions: t => { t.MaxMessages = 2; t.MaxWait = TimeSpan.FromSeconds(5); });
        await Waiting.Until(() => exactly.Invoked.Count == 2, "both hang in one transaction");

        await using var second = await exactly.StartAsync(Configure);
        var taken = await exactly.SubscribeAsync(second);
        await Waiting.Until(() => taken.Assignment.Count == 1, "the second one took one over");
        var moved = taken.Assignment[0].Partition;
        await exactly.SendAsync(moved, "b", "c");
        await exactly.CommittedReaches(moved, 3);
        release.SetResult();
        await exactly.CommittedReaches(1 - moved, 1);

        await exactly.SendAsync(1 - moved, "d");
        await exactly.CommittedReaches(1 - moved, 2);
        exactly.Committed(moved).Should().Be(3, "nobody else commits it");
        exactly.Committed(expected: 5).Should().BeEquivalentTo("out-0-a", "out-1-a", "out-b", "out-c", "out-d");
    }

    [SkippableFact]
    [Trait("Promise", "S27")]
    public async Task A_member_that_is_fenced_starts_again_by_itself_and_says_so()
    {
        var exactly = await Exactly.OnAsync(broker);
        await exactly.SendAsync(0, "a", "b", "c");
        var release = new TaskCompletionSource();
        await using var kafka = await exactly.StartAsync();
        await exactly.SubscribeAsync(kafka, (message, _, _) => message == "c" ? release.Task : Task.CompletedTask, transactions: t => t.InstanceName = "one");
        await Waiting.Until(() => exactly.Invoked.Count == 3, "all run");

        using (Exactly.TakeOver(broker.Brokers, exactly.TransactionalId("one")))
        {
            release.SetResult();
            await Waiting.Until(() => exactly.Log.Count(Fenced) == 1, "it is fenced");
            var health = await Service.HealthReport.OfAsync(kafka);
            health.Status.Should().Be(HealthStatus.Unhealthy);
            health.Description.Should().Contain("transactional producer");
        }

        await Waiting.Until(() => exactly.Log.Count(GoesOn) == 1, "it starts again");
        await exactly.SendAsync(0, "d");
        await exactly.CommittedReaches(0, 4);
        exactly.Committed(expected: 4).Should().BeEquivalentTo("out-a", "out-b", "out-c", "out-d");
        exactly.Log.Count(Fenced).Should().Be(1);
    }

    [SkippableFact]
    [Trait("Promise", "S27")]
    [Long]
    public async Task Two_live_instances_of_one_name_fence_each_other_slower_and_slower_and_say_so()
    {
        var exactly = await Exactly.OnAsync(broker, partitions: 2);
        async Task<KafkaService> JoinAsync()
        {
            var service = await exactly.StartAsync();
            await exactly.SubscribeAsync(service, transactions: t => t.InstanceName = "same");
            return service;
        }

        await using var first = await JoinAsync();
        await using var second = await JoinAsync();
        var watch = System.Diagnostics.Stopwatch.StartNew();
        var sent = 0;
        while (watch.Elapsed < TimeSpan.FromSeconds(8))
        {
            await exactly.SendAsync(sent % 2, $"{sent++}");
        }

        exactly.Log.Count(Fenced).Should().BeInRange(2, 10, "each waits 1 s, 2 s, 4 s … before it takes the name back");
        exactly.Log.All.First(logged => logged.Id == Fenced).Message.Should().Contain(exactly.TransactionalId("same")).And.Contain("InstanceName");
        await second.DisconnectAsync();
        for (var partition = 0; partition < 2; partition++)
        {
            await exactly.CommittedReaches(partition, await broker.EndOfAsync(exactly.Topic, partition));
        }

        exactly.Committed(expected: sent).Order(StringComparer.Ordinal).Should()
            .Equal(Enumerable.Range(0, sent).Select(static n => $"out-{n}").Order(StringComparer.Ordinal));
    }
}
