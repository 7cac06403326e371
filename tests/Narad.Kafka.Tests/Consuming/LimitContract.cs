using System.Collections.Concurrent;
using System.Diagnostics;
using Narad.Kafka.Shared;

namespace Narad.Kafka.Tests.Consuming;

/// <summary>The end, and the limits of memory.</summary>
public abstract class LimitContract<TBroker>(TBroker broker) : IClassFixture<TBroker>
    where TBroker : TestBroker
{
    [SkippableFact]
    [Trait("Promise", "S12")]
    [Trait("Trap", "close-elsewhere")]
    public async Task Shutdown_finishes_what_runs_and_leaves_the_rest_uncommitted()
    {
        var (topic, group) = (await broker.CreateTopicAsync(1), broker.NewGroup());
        await broker.SendAsync(topic, 0, 50);
        var release = new TaskCompletionSource();
        var started = new ConcurrentQueue<long>();
        await using var kafka = await broker.StartAsync(group);
        await kafka.SubscribeAsync<string>(
            topic,
            async (_, context, _) =>
            {
                started.Enqueue(context.Offset);
                await release.Task;
            },
            configure: s => s.Parallelism = 4);
        await Waiting.Until(() => started.Count == 4 && kafka.Groups.Single().Loop!.BufferedMessages == 50, "four run, the rest waits");
        var stopping = kafka.DisconnectAsync();
        await Waiting.Until(() => kafka.Groups.Single().Loop!.IsStopping, "the shutdown began");
        release.SetResult();
        var report = await stopping;
        report.Abandoned.Should().BeEmpty();
        started.Should().HaveCount(4);
        broker.Committed(group, topic, 0).Should().Be(4);
    }

    [SkippableFact]
    [Trait("Promise", "S12")]
    public async Task Shutdown_is_bounded_names_the_handler_that_hangs_and_cancels_it()
    {
        var (topic, group) = (await broker.CreateTopicAsync(1), broker.NewGroup());
        await broker.SendAsync(topic, 0, 3, static _ => "k");
        var release = new TaskCompletionSource();
        var token = CancellationToken.None;
        await using var kafka = await broker.StartAsync(group, o => o.ShutdownTimeout = TimeSpan.FromSeconds(2));
        await kafka.SubscribeAsync<string>(topic, (_, _, given) =>
        {
            token = given;
            return release.Task;
        });
        await Waiting.Until(() => token.CanBeCanceled, "a handler runs");
        using var stalls = new Stalls();
        var watch = Stopwatch.StartNew();
        var report = await kafka.DisconnectAsync();
        watch.Elapsed.Should().BeLessThan(TimeSpan.FromSeconds(5) + stalls.Allowance);
        report.Abandoned.Should().Contain(abandoned => abandoned.Contains($"{topic}[0]", StringComparison.Ordinal),
            "and on a slow machine the client may not close in time either");
        await Waiting.Until(() => token.IsCancellationRequested, "its token is cancelled");
        release.SetResult();
        broker.Committed(group, topic, 0).Should().BeLessThanOrEqualTo(0);
    }

    [SkippableFact]
    [Trait("Promise", "S12")]
    public async Task Shutdown_waits_neither_for_retries_nor_for_stopped_partitions()
    {
        var (topic, group) = (await broker.CreateTopicAsync(2), broker.NewGroup());
        await broker.SendAsync(topic, 0, 5);
        await broker.SendAsync(topic, 1, 5);
        await using var kafka = await broker.StartAsync(group, o => o.ShutdownTimeout = TimeSpan.FromSeconds(20));
        var waiting = new ConcurrentDictionary<long, bool>();
        var subscription = await kafka.SubscribeAsync<string>(
            topic,
            (_, context, _) =>
            {
                if (context.Partition == 0)
                {
                    waiting[context.Offset] = true;
                    throw new TimeoutException("later");
                }

                throw new InvalidOperationException("never");
            },
            configure: s =>
            {
                s.Retry.InMemory.MaxAttempts = 1;
                s.Retry.InMemory.DelayGenerator = static _ => TimeSpan.FromHours(1);
                s.Retry.InMemory.ShouldHandle = static error => error is TimeoutException;
            });
        await Waiting.Until(() => subscription.StoppedPartitions.Count == 1
            && waiting.Count == 5, "one partition stopped, the other's messages wait for an hour");
        using var stalls = new Stalls();
        var watch = Stopwatch.StartNew();
        var report = await kafka.DisconnectAsync();
        report.Abandoned.Should().BeEmpty();
        watch.Elapsed.Should().BeLessThan(TimeSpan.FromSeconds(10) + stalls.Allowance);
        broker.Committed(group, topic, 0).Should().BeLessThanOrEqualTo(0);
        broker.Committed(group, topic, 1).Should().BeLessThanOrEqualTo(0);
    }

    [SkippableTheory]
    [InlineData(1)]
    [InlineData(4)]
    [Trait("Promise", "S13")]
    public async Task A_group_never_holds_more_messages_than_its_limit_even_when_every_message_waits_for_a_retry(int partitions)
    {
        const int Limit = 60;
        var (topic, group) = (await broker.CreateTopicAsync(partitions), broker.NewGroup());
        for (var partition = 0; partition < partitions; partition++)
        {
            await broker.SendAsync(topic, partition, 400);
        }

        var most = 0L;
        var failing = true;
        var handled = 0;
        await using var kafka = await broker.StartAsync(group, o => (o.MaxBufferedMessages, o.ShutdownTimeout) = (Limit, TimeSpan.FromSeconds(2)));
        long Held()
        {
            var now = kafka.Groups.Single().Loop!.BufferedMessages;
            for (var seen = Interlocked.Read(ref most); now > seen
                && Interlocked.CompareExchange(ref most, now, seen) != seen; seen = Interlocked.Read(ref most))
            {
            }

            return now;
        }

        await kafka.SubscribeAsync<string>(
            topic,
            async (_, _, _) =>
            {
                Held();
                await Task.Yield();
                if (Volatile.Read(ref failing) || Random.Shared.Next(4) == 0)
                {
                    throw new InvalidOperationException("again");
                }

                Interlocked.Increment(ref handled);
            },
            configure: s =>
            {
                s.Retry.InMemory.MaxAttempts = 1_000;
                s.Retry.InMemory.DelayGenerator = _ => Volatile.Read(ref failing) ? TimeSpan.FromSeconds(1) : TimeSpan.FromMilliseconds(2);
            });
        await Waiting.Until(() => Held() >= Limit * 0.8, "the group is full of failing messages");
        Volatile.Write(ref failing, false);
        await Waiting.Until(() => Held() >= 0 && Volatile.Read(ref handled) == partitions * 400, "all are handled in the end");
        most.Should().BeLessThanOrEqualTo(Limit);
    }

    [SkippableFact]
    [Trait("Promise", "S13")]
    public async Task A_group_never_holds_more_bytes_than_its_limit()
    {
        var (topic, group) = (await broker.CreateTopicAsync(2), broker.NewGroup());
        var big = new string('x', 100_000);
        for (var n = 0; n < 20; n++)
        {
            await broker.SendAsync(topic, 0, [($"k{n}", big)]);
            await broker.SendAsync(topic, 1, [($"k{n}", big)]);
        }

        var release = new TaskCompletionSource();
        var most = 0L;
        await using var kafka = await broker.StartAsync(group, o => (o.MaxBufferedBytes, o.ShutdownTimeout) = (1024 * 1024, TimeSpan.FromSeconds(2)));
        await kafka.SubscribeAsync<string>(topic, async (_, _, _) =>
        {
            var now = kafka.Groups.Single().Loop!.BufferedBytes;
            InterlockedMax(ref most, now);
            await release.Task;
        });
        await Waiting.Until(() => kafka.Groups.Single()
            .Loop!.BufferedMessages == 4, "as many as fit are held: half a mebibyte is the client's, and each partition has a share");
        release.SetResult();
        await broker.CommittedReaches(group, topic, 0, 20);
        await broker.CommittedReaches(group, topic, 1, 20);
        most.Should().BeLessThanOrEqualTo(512 * 1024);
    }

    [SkippableFact]
    [Trait("Promise", "S13")]
    public async Task A_stuck_key_lets_the_others_run_ahead_by_MaxUncommittedMessages_and_no_further()
    {
        const int Limit = 100;
        var (topic, group) = (await broker.CreateTopicAsync(1), broker.NewGroup());
        await broker.SendAsync(topic, 0, 1_000);
        var release = new TaskCompletionSource();
        var highest = 0L;
        await using var kafka = await broker.StartAsync(group, o => o.MaxUncommittedMessages = Limit);
        await kafka.SubscribeAsync<string>(topic, async (_, context, _) =>
        {
            if (context.Offset == 0)
            {
                await release.Task;
            }
            else
            {
                InterlockedMax(ref highest, context.Offset);
            }
        });
        await Waiting.Until(() => Interlocked.Read(ref highest) == Limit - 1, "the others ran ahead");
        release.SetResult();
        await broker.CommittedReaches(group, topic, 0, 1_000);
    }

    [SkippableFact]
    [Trait("Promise", "S13")]
    public async Task While_a_key_is_stuck_nothing_beyond_MaxUncommittedMessages_is_fetched()
    {
        var (topic, group) = (await broker.CreateTopicAsync(2), broker.NewGroup());
        await broker.SendAsync(topic, 0, 300);
        var release = new TaskCompletionSource();
        var highest = 0L;
        await using var kafka = await broker.StartAsync(group, o => o.MaxUncommittedMessages = 50);
        await kafka.SubscribeAsync<string>(topic, async (_, context, _) =>
        {
            if (context is { Partition: 0, Offset: 0 })
            {
                await release.Task;
            }
            else if (context.Partition == 0)
            {
                InterlockedMax(ref highest, context.Offset);
            }
        });
        await Waiting.Until(() => Interlocked.Read(ref highest) == 49, "the others ran ahead");

        // Another partition continues meanwhile, and shows that time passed.
        for (var round = 1; round <= 5; round++)
        {
            await broker.SendAsync(topic, 1, 20);
            await broker.CommittedReaches(group, topic, 1, round * 20);
        }

        Interlocked.Read(ref highest).Should().Be(49);
        release.SetResult();
        await broker.CommittedReaches(group, topic, 0, 300);
    }

    [SkippableFact]
    public async Task A_time_limit_cancels_its_invocation_and_nothing_else()
    {
        var (topic, group) = (await broker.CreateTopicAsync(1), broker.NewGroup());
        await broker.SendAsync(topic, 0, 3, static _ => "k");
        var attempts = 0;
        var tokens = new ConcurrentQueue<CancellationToken>();
        await using var kafka = await broker.StartAsync(group);
        await kafka.SubscribeAsync<string>(
            topic,
            async (_, context, token) =>
            {
                tokens.Enqueue(token);
                if (context.Offset == 1 && Interlocked.Increment(ref attempts) == 1)
                {
                    await Task.Delay(Timeout.Infinite, token);
                }
            },
            configure: s => { s.Timeout = TimeSpan.FromMilliseconds(300); s.Retry.InMemory.MaxAttempts = 1; });
        await broker.CommittedReaches(group, topic, 0, 3);

        // Longer than the limit: a timer that outlived its invocation would have fired by now.
        for (var round = 0; round < 8; round++)
        {
            await broker.SendAsync(topic, 0, 1);
            await broker.CommittedReaches(group, topic, 0, 4 + round);
        }

        attempts.Should().Be(2);
        tokens.Count(token => token.IsCancellationRequested).Should().Be(1);
    }

    private static void InterlockedMax(ref long most, long now)
    {
        for (var seen = Interlocked.Read(ref most); now > seen && Interlocked.CompareExchange(ref most, now, seen) != seen; seen = Interlocked.Read(ref most))
        {
        }
    }
}

public sealed class LimitsOnEmbedded(EmbeddedTestBroker broker) : LimitContract<EmbeddedTestBroker>(broker)
{
    [Fact]
    [Trait("Promise", "S12")]
    [Trait("Trap", "hung-broker")]
    public async Task Shutdown_is_bounded_when_the_broker_is_down()
    {
        using var own = new EmbeddedTestBroker();
        var (topic, group) = (await own.CreateTopicAsync(1), own.NewGroup());
        await own.SendAsync(topic, 0, 20);
        var handled = 0;
        await using var kafka = await own.StartAsync(group, o => (o.ShutdownTimeout, o.CommitInterval) = (TimeSpan.FromSeconds(2), TimeSpan.FromMinutes(1)));
        await kafka.SubscribeAsync<string>(topic, (_, _, _) =>
        {
            Interlocked.Increment(ref handled);
            return Task.CompletedTask;
        });
        await Waiting.Until(() => Volatile.Read(ref handled) == 20, "all are handled");
        own.Broker.StopBroker();
        using var stalls = new Stalls();
        var watch = Stopwatch.StartNew();
        await kafka.DisconnectAsync();
        watch.Elapsed.Should().BeLessThan(TimeSpan.FromSeconds(6) + stalls.Allowance);
    }
}

public sealed class LimitsOnKafka(KafkaTestBroker broker) : LimitContract<KafkaTestBroker>(broker);
