using System.Collections.Concurrent;
using System.Diagnostics;

namespace Narad.Kafka.Mongo.Tests;

/// <content>What relays do with a store.</content>
public abstract partial class OutboxContract
{
    private protected static OutboxOptions RelayOptions(TimeSpan? lease = null) => TestRelay.CreateOptions(lease);

    private protected static Task<TestRelay> StartRelayAsync(
        IOutboxStore store, FakeTopic topic, OutboxOptions? options = null, TimeProvider? time = null) => TestRelay.StartAsync(store, topic, options, time);

    private protected async Task<List<OutboxMessage>> EnqueueManyAsync(int count, int keys, string prefix = "k")
    {
        var messages = Enumerable.Range(0, count).Select(i => Message(FormattableString.Invariant($"{prefix}-{i % keys}"),
            bucket: i % keys % OutboxMessage.BucketCount)).ToList();
        foreach (var part in messages.Chunk(500))
        {
            await Store.EnqueueAsync(part, null, CancellationToken.None);
        }

        return messages;
    }

    private protected async Task UntilSentAsync(FakeTopic topic, int count) =>
        await Waiting.UntilAsync(() => FakeTopic.Once(topic.Written).Count() >= count, $"{count} messages were written");

    private protected Task UntilNothingIsPendingAsync() => Waiting.UntilAsync(
        async () => (await Store.GetStatisticsAsync(CancellationToken.None)).Pending == 0, "everything was marked as dispatched");

    [SkippableFact]
    public async Task A_relay_sends_everything_once_and_each_key_in_order()
    {
        SkipWithoutServer();
        var enqueued = await EnqueueManyAsync(300, keys: 40);
        var topic = new FakeTopic();
        await using (await StartRelayAsync(Store, topic))
        {
            enqueued.AddRange(await EnqueueManyAsync(100, keys: 40));
            await UntilSentAsync(topic, enqueued.Count);
            await UntilNothingIsPendingAsync();
        }

        topic.ShouldHold(enqueued);
        topic.Written.Should().HaveCount(enqueued.Count, "nothing was interrupted");
        topic.HasOverlapped.Should().BeFalse();
    }

    [SkippableFact]
    public async Task A_key_with_many_messages_does_not_hold_up_the_others_of_its_bucket()
    {
        SkipWithoutServer();
        var topic = new FakeTopic();
        var open = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var many = Enumerable.Range(0, 300).Select(_ => Message("many")).ToList();
        var hot = many[0].KeyHash;
        topic.Sending = message => message.KeyHash == hot ? open.Task : Task.CompletedTask;
        await Store.EnqueueAsync(many, null, CancellationToken.None);
        var other = await EnqueueAsync("other");
        await using var relay = await StartRelayAsync(Store, topic);

        await Waiting.UntilAsync(() => topic.Written.Any(message => message.Id == other.Id), "the other key was sent while the first one is on its way");
        topic.Written.Should().NotContain(message => message.KeyHash == hot);
        open.SetResult();
        await UntilSentAsync(topic, 301);
        topic.ShouldHold([.. many, other]);
    }

    [SkippableFact]
    public async Task A_relay_has_no_more_messages_in_memory_than_it_may()
    {
        SkipWithoutServer();
        var enqueued = await EnqueueManyAsync(400, keys: 400);
        var topic = new FakeTopic();
        var open = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        topic.Sending = _ => open.Task;
        var options = RelayOptions();
        options.MaxInFlight = 64;
        await using var relay = await StartRelayAsync(Store, topic, options);
        await Waiting.UntilAsync(() => topic.MostAtOnce == 64, "as many are on their way as may be");

        open.SetResult();
        await UntilNothingIsPendingAsync();
        topic.MostAtOnce.Should().Be(64);
        topic.ShouldHold(enqueued);
    }

    [SkippableFact]
    public async Task Relays_that_come_and_go_share_the_buckets_and_send_everything_once()
    {
        SkipWithoutServer();
        var topic = new FakeTopic { Sending = static _ => Task.Delay(Random.Shared.Next(3)) };
        var enqueued = new List<OutboxMessage>();
        var stores = new[] { Store, OtherStore() };
        var relays = new List<TestRelay>();
        for (var i = 0; i < 4; i++)
        {
            relays.Add(await StartRelayAsync(stores[i % 2], topic));
            enqueued.AddRange(await EnqueueManyAsync(100, keys: 30, prefix: FormattableString.Invariant($"r{i}")));
        }

        await Waiting.UntilAsync(() => relays.TrueForAll(static relay => relay.Relay.Held == OutboxMessage.BucketCount / 4), "the buckets are shared evenly");
        for (var i = 0; i < 3; i++)
        {
            enqueued.AddRange(await EnqueueManyAsync(100, keys: 30, prefix: FormattableString.Invariant($"s{i}")));
            await relays[i].DisposeAsync();
        }

        await UntilSentAsync(topic, enqueued.Count);
        await UntilNothingIsPendingAsync();
        await Waiting.UntilAsync(() => relays[3].Relay.Held == OutboxMessage.BucketCount, "the last relay has all buckets");
        await relays[3].DisposeAsync();
        topic.ShouldHold(enqueued);
        topic.Written.Should().HaveCount(enqueued.Count, "every relay stopped in order");
        topic.HasOverlapped.Should().BeFalse();
    }

    [SkippableFact]
    public async Task A_relay_that_dies_between_send_and_mark_is_followed_by_one_that_sends_again_in_order()
    {
        SkipWithoutServer();
        var topic = new FakeTopic();
        var dying = new FaultyOutboxStore(OtherStore())
        {
            Before = static name =>
            {
                if (name is "MarkDispatchedAsync" or "LeaveAsync" or "ReleaseAsync")
                {
                    throw FaultyOutboxStore.Down;
                }
            },
        };
        var enqueued = await EnqueueManyAsync(60, keys: 12);
        var first = await StartRelayAsync(dying, topic, RelayOptions(lease: TimeSpan.FromSeconds(3)));
        await UntilSentAsync(topic, 12);
        await first.DisposeAsync();
        var written = topic.Written.Count;

        await using var second = await StartRelayAsync(Store, topic);
        await UntilNothingIsPendingAsync();
        topic.ShouldHold(enqueued);
        topic.Written.Should().HaveCount(written + 60, "everything that was not marked was sent again, and nothing else");
    }

    [SkippableFact]
    public async Task A_relay_that_stops_finishes_what_is_on_its_way_and_releases_its_buckets_at_once()
    {
        SkipWithoutServer();
        var topic = new FakeTopic();
        var started = new ConcurrentBag<string>();
        var open = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        topic.Sending = message =>
        {
            started.Add(message.Id);
            return open.Task;
        };
        var enqueued = await EnqueueManyAsync(20, keys: 10);
        var first = await StartRelayAsync(Store, topic, RelayOptions(lease: LongLease));
        await Waiting.UntilAsync(() => started.Count == 10, "one message of each key is on its way");

        var stopping = first.Relay.StopAsync(TimeSpan.FromMinutes(1));
        stopping.IsCompleted.Should().BeFalse("messages are on their way");
        open.SetResult();
        await stopping;
        topic.Written.Should().HaveCount(10, "no more sends start");

        await using var second = await StartRelayAsync(Store, topic, RelayOptions(lease: LongLease));
        await UntilNothingIsPendingAsync();
        topic.ShouldHold(enqueued);
        topic.Written.Should().HaveCount(20);
        await first.DisposeAsync();
    }

    [SkippableFact]
    public async Task While_Kafka_is_away_nothing_is_set_aside_and_everything_goes_out_in_order_afterwards()
    {
        SkipWithoutServer();
        var isAway = true;
        var failed = 0;
        var topic = new FakeTopic();
        topic.Sending = message =>
        {
            if (Volatile.Read(ref isAway))
            {
                Interlocked.Increment(ref failed);
                throw FakeTopic.Refusal(message, "Local_MsgTimedOut", retriable: true);
            }

            return Task.CompletedTask;
        };
        var enqueued = await EnqueueManyAsync(100, keys: 25);
        await using var relay = await StartRelayAsync(Store, topic);
        await Waiting.UntilAsync(() => Volatile.Read(ref failed) > 25 * 4, "every key was tried more often than a refused message");

        (await Store.GetStatisticsAsync(CancellationToken.None)).Should().BeEquivalentTo(new { Pending = 100, SetAside = 0 });
        Volatile.Write(ref isAway, false);
        await UntilNothingIsPendingAsync();
        topic.ShouldHold(enqueued);
    }

    [SkippableFact]
    public async Task A_message_that_is_refused_stops_its_key_alone_and_is_set_aside_with_its_reason()
    {
        SkipWithoutServer();
        var topic = new FakeTopic();
        var poison = Message("bad");
        var later = Message("bad");
        var attempts = 0;
        var isCured = false;
        topic.Sending = message =>
        {
            if (message.Id == poison.Id && !Volatile.Read(ref isCured))
            {
                Interlocked.Increment(ref attempts);
                throw FakeTopic.Refusal(message);
            }

            return Task.CompletedTask;
        };
        await Store.EnqueueAsync([poison, later], null, CancellationToken.None);
        var others = await EnqueueManyAsync(20, keys: 20);
        await using var relay = await StartRelayAsync(Store, topic);

        await Waiting.UntilAsync(async () => (await Store.GetStatisticsAsync(CancellationToken.None)) is { SetAside: 1, Pending: 1 },
            "the message was set aside, and what waits behind it is all that is pending");
        attempts.Should().Be(3);
        var listed = (await Store.ListSetAsideAsync("orders", 10, CancellationToken.None)).Should().ContainSingle().Subject;
        (listed.Message.Id, listed.Attempts).Should().Be((poison.Id, 3));
        listed.Reason.Should().Contain("MsgSizeTooLarge");
        topic.Written.Should().HaveCount(20);

        Volatile.Write(ref isCured, true);
        (await Store.RetryAsync([poison.Id], CancellationToken.None)).Should().Be(1);
        await UntilNothingIsPendingAsync();
        topic.ShouldHold([poison, later, .. others]);
    }

    [SkippableFact]
    public async Task Where_keys_continue_later_messages_are_sent_although_one_is_set_aside()
    {
        SkipWithoutServer();
        var topic = new FakeTopic();
        var poison = Message("bad");
        var later = Message("bad");
        topic.Sending = message => message.Id == poison.Id ? throw FakeTopic.Refusal(message, "UnknownTopicOrPart") : Task.CompletedTask;
        await Store.EnqueueAsync([poison, later], null, CancellationToken.None);
        var options = RelayOptions();
        options.KeyAfterSetAside = OutboxKeyPolicy.Continue;
        await using var relay = await StartRelayAsync(Store, topic, options);

        await UntilNothingIsPendingAsync();
        topic.Written.Select(static message => message.Id).Should().Equal(later.Id);
        (await Store.DiscardAsync([poison.Id], CancellationToken.None)).Should().Be(1);
    }

    [SkippableFact]
    public async Task An_operators_retry_beside_the_relay_sends_nothing_twice()
    {
        SkipWithoutServer();
        var topic = new FakeTopic();
        var messages = Enumerable.Range(0, 20).Select(i => Message(FormattableString.Invariant($"p-{i}"), bucket: i)).ToList();
        var refusals = new ConcurrentDictionary<string, int>();
        topic.Sending = message => refusals.AddOrUpdate(message.Id, 1, static (_, count) => count + 1) <= 3 ? throw FakeTopic.Refusal(message)
            : Task.CompletedTask;
        await Store.EnqueueAsync(messages, null, CancellationToken.None);
        await using var relay = await StartRelayAsync(Store, topic);
        var other = OtherStore();
        var ids = messages.ConvertAll(static message => message.Id);

        await Waiting.UntilAsync(
            async () =>
            {
                await Task.WhenAll(Store.RetryAsync(ids, CancellationToken.None), other.RetryAsync(ids, CancellationToken.None));
                return topic.Written.Count >= 20;
            },
            "retried messages were sent");
        await UntilNothingIsPendingAsync();
        topic.ShouldHold(messages);
        topic.Written.Should().HaveCount(20);
    }

    [SkippableFact]
    public async Task A_clock_that_differs_by_a_minute_changes_nothing()
    {
        SkipWithoutServer();
        var topic = new FakeTopic { Sending = static _ => Task.Delay(Random.Shared.Next(3)) };
        var enqueued = await EnqueueManyAsync(200, keys: 50);
        await using (await StartRelayAsync(Store, topic))
        await using (await StartRelayAsync(OtherStore(), topic, time: new ShiftedTime(TimeSpan.FromMinutes(1))))
        await using (await StartRelayAsync(OtherStore(), topic, time: new ShiftedTime(TimeSpan.FromMinutes(-1))))
        {
            enqueued.AddRange(await EnqueueManyAsync(200, keys: 50));
            await UntilNothingIsPendingAsync();
        }

        topic.ShouldHold(enqueued);
        topic.Written.Should().HaveCount(enqueued.Count);
    }

    [SkippableFact]
    public async Task A_store_that_is_away_is_an_outage_and_the_relay_resumes_by_itself()
    {
        SkipWithoutServer();
        var isAway = true;
        var store = new FaultyOutboxStore(Store)
        {
            Before = _ =>
            {
                if (Volatile.Read(ref isAway))
                {
                    throw FaultyOutboxStore.Down;
                }
            },
        };
        var topic = new FakeTopic();
        await using var relay = await StartRelayAsync(store, topic);
        relay.Relay.Outage.Should().BeOfType<StoreUnavailableException>();
        var enqueued = await EnqueueManyAsync(30, keys: 10);
        for (var outage = 0; outage < 3; outage++)
        {
            Volatile.Write(ref isAway, false);
            await UntilNothingIsPendingAsync();
            await Waiting.UntilAsync(() => relay.Relay.Outage is null, "the outage is over");
            Volatile.Write(ref isAway, true);
            await Waiting.UntilAsync(() => relay.Relay.Outage is not null, "the outage is known");
            enqueued.AddRange(await EnqueueManyAsync(30, keys: 10));
        }

        topic.Written.Should().HaveCount(90, "nothing is sent without the store");
        Volatile.Write(ref isAway, false);
        await UntilNothingIsPendingAsync();
        topic.ShouldHold(enqueued);
    }

    [SkippableFact]
    public async Task Calls_that_fail_and_answers_that_are_lost_leave_the_order_of_keys()
    {
        SkipWithoutServer();
        var calls = 0;
        void FailNowAndThen(string name)
        {
            if (name is not "StartAsync" && Interlocked.Increment(ref calls) % 7 == 0)
            {
                throw FaultyOutboxStore.Down;
            }
        }

        var store = new FaultyOutboxStore(Store) { Before = FailNowAndThen, After = FailNowAndThen };
        var topic = new FakeTopic();
        var enqueued = await EnqueueManyAsync(200, keys: 20);
        await using var relay = await StartRelayAsync(store, topic);
        await UntilNothingIsPendingAsync();
        topic.ShouldHold(enqueued);
        topic.HasOverlapped.Should().BeFalse();
    }

    [SkippableFact]
    public async Task A_watch_that_is_silent_costs_a_polling_interval_and_no_more()
    {
        SkipWithoutServer();
        var topic = new FakeTopic();
        await using var relay = await StartRelayAsync(new FaultyOutboxStore(Store) { Watches = false }, topic);
        await EnqueueAsync("first");
        await UntilSentAsync(topic, 1);

        var watch = Stopwatch.StartNew();
        await EnqueueAsync("second");
        await UntilSentAsync(topic, 2);
        watch.Elapsed.Should().BeLessThan(TimeSpan.FromSeconds(30), "polling finds it, every 200 ms");
    }

    [SkippableFact]
    public async Task A_message_that_is_enqueued_wakes_the_relay()
    {
        SkipWithoutServer();
        var topic = new FakeTopic();
        var options = RelayOptions(LongLease);
        options.PollInterval = TimeSpan.FromHours(1);
        await using var relay = await StartRelayAsync(Store, topic, options);
        await Waiting.UntilAsync(
            async () =>
            {
                await EnqueueAsync();
                return topic.Written.Count > 0;
            },
            "a message was sent, an hour before the next poll");
        topic.HasOverlapped.Should().BeFalse();
    }

    private protected sealed class ShiftedTime(TimeSpan shift) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + shift;
    }
}
