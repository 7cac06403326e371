namespace Narad.Kafka.Mongo.Tests;

/// <summary>What every outbox store does.</summary>
[Trait("Promise", "S37")]
public abstract partial class OutboxContract : IAsyncLifetime
{
    private protected static readonly TimeSpan LongLease = TimeSpan.FromMinutes(5);
    private protected static readonly TimeSpan ShortLease = TimeSpan.FromSeconds(1);

    private int _lastId;

    private protected IOutboxStore Store { get; set; } = null!;

    /// <summary>The variable that names the server; null where none is needed.</summary>
    private protected virtual string? Server => null;

    public abstract Task InitializeAsync();

    public abstract Task DisposeAsync();

    /// <summary>The same outbox, as another process sees it.</summary>
    private protected abstract IOutboxStore OtherStore();

    private protected void SkipWithoutServer()
    {
        if (Server is { } variable)
        {
            TestDatabase.UriOf(variable);
        }
    }

    private protected OutboxMessage Message(string key = "k", int bucket = 3, string topic = "orders", string? id = null) => new()
    {
        Id = id ?? FormattableString.Invariant($"m-{Interlocked.Increment(ref _lastId):0000}"),
        Topic = topic,
        Bucket = bucket,
        KeyHash = StringComparer.Ordinal.Equals(key, "") ? 0 : BitConverter.ToInt64(System.Security.Cryptography.SHA256.HashData(
            System.Text.Encoding.UTF8.GetBytes($"{topic} {key}"))),
        Key = System.Text.Encoding.UTF8.GetBytes(key),
        Value = "v"u8.ToArray(),
        Headers = new MessageHeaders().Add("message-id", "x"),
    };

    private protected async Task<OutboxMessage> EnqueueAsync(string key = "k", int bucket = 3, string topic = "orders")
    {
        var message = Message(key, bucket, topic);
        await Store.EnqueueAsync([message], null, CancellationToken.None);
        return message;
    }

    private protected async Task<OutboxLease> AcquireAsync(int bucket = 3, string relay = "r-1", TimeSpan? duration = null)
    {
        await Store.HeartbeatAsync(relay, duration ?? LongLease, CancellationToken.None);
        return (await Store.TryAcquireAsync(relay, bucket, duration ?? LongLease, CancellationToken.None))!;
    }

    private protected Task<IReadOnlyList<OutboxRow>> ReadAsync(OutboxLease lease, int limit = 100, params long[] except) =>
        Store.ReadPendingAsync(lease, except, limit, CancellationToken.None);

    private static IEnumerable<string> Ids(IEnumerable<OutboxRow> rows) => rows.Select(static row => row.Message.Id);

    [SkippableFact]
    public async Task A_message_is_read_as_it_was_enqueued()
    {
        SkipWithoutServer();
        var full = Message() with
        {
            Headers = new MessageHeaders().Add("a", "1").Add("a", "2").Add("none", (byte[]?)null),
            Partition = 5,
            Timestamp = DateTimeOffset.FromUnixTimeMilliseconds(1_700_000_000_123),
        };
        var tombstone = Message() with { Key = [0, 255], Value = null };
        await Store.EnqueueAsync([full, tombstone], null, CancellationToken.None);

        var rows = await ReadAsync(await AcquireAsync());
        rows.Should().HaveCount(2);
        rows[0].Message.Should().BeEquivalentTo(full, static o => o.ComparingByMembers<OutboxMessage>());
        rows[1].Message.Should().BeEquivalentTo(tombstone, static o => o.ComparingByMembers<OutboxMessage>());
        rows[1].Sequence.Should().BeGreaterThan(rows[0].Sequence);
        rows[0].Attempts.Should().Be(0);
    }

    [SkippableFact]
    public async Task Messages_of_a_bucket_are_read_in_the_order_of_their_enqueuing_also_from_two_processes()
    {
        SkipWithoutServer();
        var other = OtherStore();
        var expected = new List<string>();
        for (var i = 0; i < 10; i++)
        {
            var message = Message();
            expected.Add(message.Id);
            await (i % 2 == 0 ? Store : other).EnqueueAsync([message], null, CancellationToken.None);
        }

        await EnqueueAsync(bucket: 4);
        var lease = await AcquireAsync();
        Ids(await ReadAsync(lease)).Should().Equal(expected);
        Ids(await ReadAsync(lease, limit: 4)).Should().Equal(expected.Take(4));
    }

    [SkippableFact]
    public async Task Messages_that_are_enqueued_at_once_have_numbers_of_their_own()
    {
        SkipWithoutServer();
        var other = OtherStore();
        await Task.WhenAll(Enumerable.Range(0, 20).Select(i => (i % 2 == 0 ? Store : other).EnqueueAsync([Message(), Message()], null,
            CancellationToken.None)));

        var rows = await ReadAsync(await AcquireAsync());
        rows.Should().HaveCount(40);
        rows.Select(static row => row.Sequence).Should().OnlyHaveUniqueItems().And.BeInAscendingOrder();
    }

    [SkippableFact]
    public async Task Keys_that_are_left_out_are_not_read()
    {
        SkipWithoutServer();
        var blocked = await EnqueueAsync("a");
        var other = await EnqueueAsync("b");
        Ids(await ReadAsync(await AcquireAsync(), except: blocked.KeyHash)).Should().Equal(other.Id);
    }

    [SkippableFact]
    public async Task A_dispatched_message_is_not_read_and_not_marked_again()
    {
        SkipWithoutServer();
        var first = await EnqueueAsync();
        var second = await EnqueueAsync();
        var lease = await AcquireAsync();
        var rows = await ReadAsync(lease);

        (await Store.MarkDispatchedAsync(lease, [rows[0]], CancellationToken.None)).Should().Be(1);
        (await Store.MarkDispatchedAsync(lease, [rows[0]], CancellationToken.None)).Should().Be(0, "it is not pending any more");
        (await Store.SetAsideAsync(lease, rows[0], "no", holdsKey: true, CancellationToken.None)).Should().BeFalse();
        (await Store.RecordRefusalAsync(lease, rows[0], "no", CancellationToken.None)).Should().BeFalse();
        Ids(await ReadAsync(lease)).Should().Equal(second.Id);
        (await Store.RetryAsync([first.Id], CancellationToken.None)).Should().Be(0, "it is not set aside");
        (await Store.DiscardAsync([first.Id, second.Id], CancellationToken.None)).Should().Be(0);
    }

    [SkippableFact]
    public async Task A_bucket_has_one_relay_until_it_is_released_or_the_lease_expires()
    {
        SkipWithoutServer();
        await EnqueueAsync();
        await AcquireAsync(bucket: 4, relay: "r-1");
        (await Store.TryAcquireAsync("r-2", 4, LongLease, CancellationToken.None)).Should().BeNull();
        var first = await AcquireAsync(relay: "r-1", duration: ShortLease);
        OutboxLease? second = null;
        await Waiting.UntilAsync(async () => (second = await Store.TryAcquireAsync("r-2", 3, LongLease, CancellationToken.None)) is not null,
            "the lease expired");

        second!.Fence.Should().BeGreaterThan(first.Fence);
        await Store.ReleaseAsync(first, CancellationToken.None);
        (await Store.TryAcquireAsync("r-3", 3, LongLease, CancellationToken.None)).Should().BeNull("a lease that is not in force releases nothing");
        await Store.ReleaseAsync(second, CancellationToken.None);
        (await Store.TryAcquireAsync("r-3", 3, LongLease, CancellationToken.None))!.Fence.Should().BeGreaterThan(second.Fence);
    }

    [SkippableFact]
    public async Task A_relay_whose_lease_was_lost_changes_nothing()
    {
        SkipWithoutServer();
        await EnqueueAsync();
        var lost = await AcquireAsync(relay: "r-1");
        var row = (await ReadAsync(lost))[0];
        await Store.ReleaseAsync(lost, CancellationToken.None);
        (await Store.MarkDispatchedAsync(lost, [row], CancellationToken.None)).Should().Be(0, "nobody holds the bucket");

        var held = await AcquireAsync(relay: "r-1");
        (await Store.MarkDispatchedAsync(lost, [row], CancellationToken.None)).Should().Be(0, "the fence is another one");
        (await Store.SetAsideAsync(lost, row, "no", holdsKey: true, CancellationToken.None)).Should().BeFalse();
        (await Store.RecordRefusalAsync(lost, row, "no", CancellationToken.None)).Should().BeFalse();
        var found = (await ReadAsync(held)).Should().ContainSingle().Subject;
        found.Attempts.Should().Be(0);
        (await Store.MarkDispatchedAsync(held, [found], CancellationToken.None)).Should().Be(1);
    }

    [SkippableFact]
    public async Task Of_relays_that_race_for_a_bucket_one_has_it()
    {
        SkipWithoutServer();
        var other = OtherStore();
        for (var bucket = 0; bucket < 8; bucket++)
        {
            var leases = await Task.WhenAll(Enumerable.Range(0, 6).Select(i => (i % 2 == 0 ? Store : other)
                .TryAcquireAsync(FormattableString.Invariant($"r-{i}"), bucket, LongLease, CancellationToken.None)));
            leases.Count(static lease => lease is not null).Should().Be(1);
        }
    }

    [SkippableFact]
    public async Task A_heartbeat_counts_the_relays_renews_the_leases_and_tells_what_is_free()
    {
        SkipWithoutServer();
        (await Store.HeartbeatAsync("r-1", LongLease, CancellationToken.None)).Should().BeEquivalentTo(
            new OutboxMembership(1, [], [.. Enumerable.Range(0, OutboxMessage.BucketCount)]));
        var lease = await Store.TryAcquireAsync("r-1", 7, LongLease, CancellationToken.None);
        (await Store.HeartbeatAsync("r-2", LongLease, CancellationToken.None)).Relays.Should().Be(2);
        var membership = await Store.HeartbeatAsync("r-1", LongLease, CancellationToken.None);
        membership.Relays.Should().Be(2);
        membership.Held.Should().Equal(lease!);
        membership.Free.Should().HaveCount(OutboxMessage.BucketCount - 1).And.NotContain(7);

        await Store.LeaveAsync("r-1", CancellationToken.None);
        membership = await Store.HeartbeatAsync("r-2", LongLease, CancellationToken.None);
        membership.Relays.Should().Be(1);
        membership.Held.Should().BeEmpty();
        membership.Free.Should().HaveCount(OutboxMessage.BucketCount);
    }

    [SkippableFact]
    public async Task A_relay_that_is_silent_does_not_count_and_its_leases_are_not_renewed_after_their_end()
    {
        SkipWithoutServer();
        await AcquireAsync(relay: "r-1", duration: ShortLease);
        await Waiting.UntilAsync(
            async () => (await Store.HeartbeatAsync("r-2", LongLease, CancellationToken.None)) is { Relays: 1 } alone && alone.Free.Contains(3),
            "the silent relay is not counted, and its bucket is free");

        (await Store.HeartbeatAsync("r-1", LongLease, CancellationToken.None)).Held.Should().BeEmpty("a lease that has expired is taken anew, not renewed");
    }

    [SkippableFact]
    public async Task Refusals_are_counted_and_a_message_that_is_set_aside_holds_its_key_until_it_is_retried()
    {
        SkipWithoutServer();
        var poison = await EnqueueAsync("a");
        var later = await EnqueueAsync("a");
        var other = await EnqueueAsync("b");
        var lease = await AcquireAsync();
        (await Store.RecordRefusalAsync(lease, (await ReadAsync(lease))[0], "too large", CancellationToken.None)).Should().BeTrue();
        var row = (await ReadAsync(lease))[0];
        row.Attempts.Should().Be(1);

        (await Store.SetAsideAsync(lease, row, "too large", holdsKey: true, CancellationToken.None)).Should().BeTrue();
        Ids(await ReadAsync(lease)).Should().Equal(other.Id);
        var listed = (await Store.ListSetAsideAsync(null, 10, CancellationToken.None)).Should().ContainSingle().Subject;
        (listed.Message.Id, listed.Attempts, listed.Reason, listed.HoldsKey).Should().Be((poison.Id, 2, "too large", true));
        (await Store.ListSetAsideAsync("invoices", 10, CancellationToken.None)).Should().BeEmpty();

        (await Store.RetryAsync([poison.Id, "unknown"], CancellationToken.None)).Should().Be(1);
        Ids(await ReadAsync(lease)).Should().Equal(poison.Id, later.Id, other.Id);
        (await ReadAsync(lease))[0].Attempts.Should().Be(0);
        (await Store.ListSetAsideAsync(null, 10, CancellationToken.None)).Should().BeEmpty();
    }

    [SkippableFact]
    public async Task A_discarded_message_is_gone_and_its_key_continues()
    {
        SkipWithoutServer();
        var poison = await EnqueueAsync("a");
        var later = await EnqueueAsync("a");
        var lease = await AcquireAsync();
        await Store.SetAsideAsync(lease, (await ReadAsync(lease))[0], "no", holdsKey: true, CancellationToken.None);

        (await Store.DiscardAsync([poison.Id], CancellationToken.None)).Should().Be(1);
        (await Store.RetryAsync([poison.Id], CancellationToken.None)).Should().Be(0);
        Ids(await ReadAsync(lease)).Should().Equal(later.Id);
    }

    [SkippableFact]
    public async Task A_message_that_is_set_aside_without_its_key_holds_nothing()
    {
        SkipWithoutServer();
        await EnqueueAsync("a");
        var later = await EnqueueAsync("a");
        var lease = await AcquireAsync();
        await Store.SetAsideAsync(lease, (await ReadAsync(lease))[0], "no", holdsKey: false, CancellationToken.None);

        Ids(await ReadAsync(lease)).Should().Equal(later.Id);
    }

    [SkippableFact]
    public async Task Of_operators_who_retry_and_discard_at_once_one_decides()
    {
        SkipWithoutServer();
        var other = OtherStore();
        var poison = await EnqueueAsync();
        var lease = await AcquireAsync();
        await Store.SetAsideAsync(lease, (await ReadAsync(lease))[0], "no", holdsKey: true, CancellationToken.None);

        var changed = await Task.WhenAll(
            Store.RetryAsync([poison.Id], CancellationToken.None), other.DiscardAsync([poison.Id], CancellationToken.None),
            other.RetryAsync([poison.Id], CancellationToken.None), Store.DiscardAsync([poison.Id], CancellationToken.None));
        changed.Sum().Should().Be(1);
    }

    [SkippableFact]
    public async Task Pending_messages_and_those_set_aside_are_counted()
    {
        SkipWithoutServer();
        (await Store.GetStatisticsAsync(CancellationToken.None)).Should().Be(new OutboxStatistics(0, null, 0));
        await EnqueueAsync();
        await EnqueueAsync(bucket: 9);
        var lease = await AcquireAsync();
        await Store.SetAsideAsync(lease, (await ReadAsync(lease))[0], "no", holdsKey: true, CancellationToken.None);

        var counted = await Store.GetStatisticsAsync(CancellationToken.None);
        (counted.Pending, counted.SetAside).Should().Be((1, 1));
        counted.OldestPending.Should().BeGreaterThanOrEqualTo(TimeSpan.Zero).And.BeLessThan(TimeSpan.FromMinutes(3));
        (await Store.FindPendingBucketsAsync([3, 8, 9], CancellationToken.None)).Should().Equal(9);
    }

    [SkippableFact]
    public async Task A_session_that_the_store_does_not_know_is_refused()
    {
        SkipWithoutServer();
        var enqueuing = () => Store.EnqueueAsync([Message()], "no session", CancellationToken.None);
        await enqueuing.Should().ThrowAsync<ArgumentException>();
        (await Store.GetStatisticsAsync(CancellationToken.None)).Pending.Should().Be(0);
    }

    [SkippableFact]
    public async Task What_is_enqueued_here_is_reported_at_once()
    {
        SkipWithoutServer();
        using var watching = new CancellationTokenSource();
        var reported = new System.Collections.Concurrent.ConcurrentQueue<int?>();
        var watch = Store.WatchAsync(reported.Enqueue, watching.Token);
        await Waiting.UntilAsync(
            async () =>
            {
                await EnqueueAsync();
                return reported.Contains(3);
            },
            "the enqueuing was reported with its bucket");

        await watching.CancelAsync();
        await watch;
        watch.IsCompletedSuccessfully.Should().BeTrue();
    }
}
