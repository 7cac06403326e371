using Microsoft.Extensions.Time.Testing;
using MongoDB.Bson;
using MongoDB.Driver;
using Narad.Kafka.Shared;

namespace Narad.Kafka.Mongo.Tests;

/// <summary>What only the outbox in MongoDB does: transactions, numbers, fences, indexes, expiry.</summary>
[Trait("Promise", "S37")]
public sealed class MongoOutboxStoreTests
{
    [SkippableFact]
    public async Task A_message_and_the_applications_write_commit_together_or_not_at_all()
    {
        await using var database = TestDatabase.On(TestDatabase.ReplicaSet);
        var store = await database.StartStoreAsync();
        var lease = await store.AcquireAsync();
        await database.Database.CreateCollectionAsync("orders");
        foreach (var commits in new[] { false, true })
        {
            using var session = await database.Database.Client.StartSessionAsync();
            session.StartTransaction();
            await database.Collection("orders").InsertOneAsync(session, new BsonDocument("number", 1));
            await store.EnqueueAsync(session, OutboxMessages.Create(1), OutboxMessages.Create(2));
            (await store.ReadAsync(lease)).Should().BeEmpty("it is not committed");
            await (commits ? session.CommitTransactionAsync() : session.AbortTransactionAsync());

            (await store.ReadAsync(lease)).Should().HaveCount(commits ? 2 : 0);
            (await database.Collection("orders").CountDocumentsAsync(new BsonDocument())).Should().Be(commits ? 1 : 0);
        }
    }

    [SkippableFact]
    public async Task In_a_handler_of_an_inbox_a_message_commits_with_it_and_the_application_names_no_session()
    {
        await using var database = TestDatabase.On(TestDatabase.ReplicaSet);
        var connection = database.Connect();
        var inbox = new MongoInbox(connection, TimeProvider.System);
        await inbox.StartAsync(new InboxSubscription("t", "g", null, TimeSpan.FromDays(1)), CancellationToken.None);
        var store = await database.StartStoreAsync();
        var lease = await store.AcquireAsync();
        InboxMessage Message(string id) => new("g", "t", id, new TopicPartitionOffsetId("t", 0, 0), TimeSpan.FromDays(1));

        var failing = () => inbox.HandleAsync(Message("fails"), async (_, _) =>
        {
            await store.EnqueueAsync(null, OutboxMessages.Create(1));
            throw new InvalidDataException();
        }, CancellationToken.None);
        await failing.Should().ThrowAsync<InvalidDataException>();
        (await store.ReadAsync(lease)).Should().BeEmpty();

        await inbox.HandleAsync(Message("works"), async (_, _) =>
        {
            await store.EnqueueAsync(null, OutboxMessages.Create(2));
            (await store.ReadAsync(lease)).Should().BeEmpty("the handler has not returned");
        }, CancellationToken.None);
        (await store.ReadAsync(lease)).Select(OutboxMessages.NumberOf).Should().Equal(2);
    }

    [SkippableFact]
    public async Task What_is_no_transaction_is_refused()
    {
        await using var database = TestDatabase.On(TestDatabase.ReplicaSet);
        var store = await database.StartStoreAsync();
        using var session = await database.Database.Client.StartSessionAsync();

        var idle = () => store.EnqueueAsync([OutboxMessages.Create()], session, CancellationToken.None);
        (await idle.Should().ThrowAsync<ArgumentException>()).WithMessage("*no transaction*");
        var other = () => store.EnqueueAsync([OutboxMessages.Create()], new object(), CancellationToken.None);
        (await other.Should().ThrowAsync<ArgumentException>()).WithMessage("*IClientSessionHandle*");
    }

    [SkippableFact]
    public async Task A_number_that_commits_late_is_found_and_one_that_never_commits_holds_up_nothing()
    {
        await using var database = TestDatabase.On(TestDatabase.ReplicaSet);
        var store = await database.StartStoreAsync();
        var lease = await store.AcquireAsync();
        using var late = await database.Database.Client.StartSessionAsync();
        using var never = await database.Database.Client.StartSessionAsync();
        late.StartTransaction();
        never.StartTransaction();
        await store.EnqueueAsync(late, OutboxMessages.Create(1));
        await store.EnqueueAsync(never, OutboxMessages.Create(2));
        await store.EnqueueAsync(null, OutboxMessages.Create(3));
        var first = await store.ReadAsync(lease);
        (await store.MarkDispatchedAsync(lease, first, CancellationToken.None)).Should().Be(1);

        await late.CommitTransactionAsync();
        await never.AbortTransactionAsync();
        var second = await store.ReadAsync(lease);

        (OutboxMessages.NumberOf(first.Single()), OutboxMessages.NumberOf(second.Single())).Should().Be((3, 1));
        second[0].Sequence.Should().BeLessThan(first[0].Sequence, "its number was taken before");
    }

    [SkippableFact]
    public async Task A_message_that_is_enqueued_after_a_commit_has_the_higher_number_in_whatever_process()
    {
        await using var database = TestDatabase.On(TestDatabase.ReplicaSet);
        var stores = new List<MongoOutboxStore>();
        for (var i = 0; i < 3; i++)
        {
            stores.Add(await database.StartStoreAsync(through: TestDatabase.Client(database.Uri, settings => settings.ApplicationName = $"p-{i}")
                .GetDatabase(database.Name)));
        }

        // Others ask for numbers all the time, so that requests are shared.
        using var stopping = new CancellationTokenSource();
        var noise = stores.Select(store => Task.Run(async () =>
        {
            while (!stopping.IsCancellationRequested)
            {
                await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => store.EnqueueAsync(null, OutboxMessages.Create(bucket: 1))));
            }
        })).ToList();
        for (var number = 0; number < 30; number++)
        {
            await stores[number % stores.Count].EnqueueAsync(null, OutboxMessages.Create(number));
        }

        await stopping.CancelAsync();
        await Task.WhenAll(noise);
        var rows = await stores[0].ReadAsync(await stores[0].AcquireAsync());

        rows.Select(OutboxMessages.NumberOf).Should().Equal(Enumerable.Range(0, 30));
        (await database.Collection(OutboxMessages.Rows).DistinctAsync<long>("sequence", new BsonDocument())).ToList().Should()
            .HaveCount((int)await database.CountAsync("pending"), "no number is handed out twice");
    }

    [SkippableFact]
    public async Task Of_two_transactions_that_conflict_the_later_commit_has_the_higher_number_also_where_enqueuing_comes_first()
    {
        await using var database = TestDatabase.On(TestDatabase.ReplicaSet);
        var store = await database.StartStoreAsync();
        var account = database.Collection("accounts");
        await account.InsertOneAsync(new BsonDocument { { "_id", "a" }, { "version", 0 } });
        await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(async () =>
        {
            using var session = await database.Database.Client.StartSessionAsync();
            for (var i = 0; i < 5; i++)
            {
                await session.WithTransactionAsync(async (transaction, token) =>
                {
                    var message = OutboxMessages.Create();
                    await store.EnqueueAsync([message], transaction, token);
                    var written = await account.FindOneAndUpdateAsync<BsonDocument>(transaction, new BsonDocument("_id", "a"),
                        new BsonDocument("$inc", new BsonDocument("version", 1)),
                        new FindOneAndUpdateOptions<BsonDocument> { ReturnDocument = ReturnDocument.After }, token);
                    await database.Collection(OutboxMessages.Rows).UpdateOneAsync(transaction, new BsonDocument("_id", message.Id),
                        new BsonDocument("$set", new BsonDocument("version", written["version"])), cancellationToken: token);
                    return true;
                });
            }
        })));

        var rows = await database.Collection(OutboxMessages.Rows).Find(new BsonDocument()).Sort(new BsonDocument("sequence", 1)).ToListAsync();
        rows.Select(static row => row["version"].ToInt32()).Should().Equal(Enumerable.Range(1, 20), "versions are in the order of the commits");
    }

    [SkippableFact]
    public async Task A_lost_counter_goes_on_above_all_numbers()
    {
        await using var database = TestDatabase.On(TestDatabase.ReplicaSet);
        var store = await database.StartStoreAsync();
        await store.EnqueueAsync(null, OutboxMessages.Create(1));
        await database.Collection(OutboxMessages.State).DeleteManyAsync(new BsonDocument());
        await store.EnqueueAsync(null, OutboxMessages.Create(2));

        (await store.ReadAsync(await store.AcquireAsync())).Select(OutboxMessages.NumberOf).Should().Equal(1, 2);
    }

    [SkippableTheory]
    [InlineData(TestDatabase.Standalone)]
    [InlineData(TestDatabase.ReplicaSet)]
    public async Task A_client_whose_clock_is_wrong_takes_and_keeps_leases_as_any_other(string server)
    {
        await using var database = TestDatabase.On(server);
        var behind = await database.StartStoreAsync(time: new FakeTimeProvider(DateTimeOffset.UtcNow.AddMinutes(-1)));
        var ahead = await database.StartStoreAsync(time: new FakeTimeProvider(DateTimeOffset.UtcNow.AddMinutes(1)));
        await behind.EnqueueAsync(null, OutboxMessages.Create());
        var lease = await behind.AcquireAsync("behind", duration: TimeSpan.FromSeconds(30));

        (await ahead.TryAcquireAsync("ahead", 0, OutboxMessages.Lease, CancellationToken.None)).Should().BeNull("it is in force");
        (await ahead.HeartbeatAsync("ahead", OutboxMessages.Lease, CancellationToken.None)).Free.Should().NotContain(0);
        var rows = await behind.ReadAsync(lease);
        rows.Single().EnqueuedAt.Should().BeCloseTo(DateTimeOffset.UtcNow, TimeSpan.FromSeconds(30));
        (await behind.MarkDispatchedAsync(lease, rows, CancellationToken.None)).Should().Be(1);
        (await ahead.GetStatisticsAsync(CancellationToken.None)).OldestPending.Should().BeNull();
    }

    [SkippableTheory]
    [InlineData(TestDatabase.Standalone)]
    [InlineData(TestDatabase.ReplicaSet)]
    public async Task Only_dispatched_messages_expire(string server)
    {
        await using var database = TestDatabase.On(server);
        var store = await database.StartStoreAsync(retention: TimeSpan.FromSeconds(1));
        await store.EnqueueAsync(null, OutboxMessages.Create(1), OutboxMessages.Create(2, keyHash: 2), OutboxMessages.Create(3, keyHash: 3));
        var lease = await store.AcquireAsync();
        var rows = await store.ReadAsync(lease);
        await store.SetAsideAsync(lease, rows[1], "no", holdsKey: false, CancellationToken.None);
        await store.MarkDispatchedAsync(lease, [rows[0]], CancellationToken.None);

        await Waiting.UntilAsync(async () => await database.CountAsync("dispatched") == 0, "the dispatched message expired");
        (await database.CountAsync("pending"), await database.CountAsync("setAside")).Should().Be((1, 1));
    }

    [Fact]
    public void A_read_that_passed_a_number_before_it_was_committed_leaves_out_what_follows_it_in_its_key()
    {
        OutboxRow Row(long sequence, long key) => new(OutboxMessages.Create((int)sequence, keyHash: key), sequence, 0, DateTimeOffset.UnixEpoch);
        List<OutboxRow> read = [Row(3, 1), Row(5, 1), Row(6, 2), Row(7, 1)];
        (long, long)[] pending = [(1, 3), (1, 4), (1, 5), (2, 6), (1, 7)];

        MongoOutboxStore.WithoutOvertaking(read, pending).Select(static row => row.Sequence).Should().Equal(3, 6);
        MongoOutboxStore.WithoutOvertaking(read, [(1, 3), (2, 6)]).Should().BeEquivalentTo(read, "what is dispatched meanwhile hides nothing");
    }

    [SkippableFact]
    public async Task Every_query_that_is_polled_has_an_index()
    {
        // The servers explain plans in different forms; all of them name the index.
        await using var database = TestDatabase.On(TestDatabase.Standalone);
        var store = await database.StartStoreAsync();
        var lease = await store.AcquireAsync();
        await store.EnqueueAsync(null, [.. Enumerable.Range(0, 500).Select(static number => OutboxMessages.Create(number, number % 64))]);
        await store.SetAsideAsync(lease, (await store.ReadAsync(lease))[0], "no", holdsKey: true, CancellationToken.None);

        BsonDocument Find(string collection, BsonDocument filter, BsonDocument? sort = null) =>
            new() { { "find", collection }, { "filter", filter }, { "sort", sort, sort is not null }, { "limit", 100 } };
        BsonDocument Aggregate(string collection, BsonDocument[] stages) =>
            new() { { "aggregate", collection }, { "pipeline", new BsonArray(stages) }, { "cursor", new BsonDocument() } };
        (string Index, BsonDocument Command)[] queries =
        [
            ("pending", Find(OutboxMessages.Rows, MongoOutboxStore.PendingRows(3, []), MongoOutboxStore.PendingOrder)),
            ("pending", Find(OutboxMessages.Rows, MongoOutboxStore.PendingRows(3, [1, 2]), MongoOutboxStore.PendingOrder)),
            ("pending", Find(OutboxMessages.Rows, MongoOutboxStore.PendingRowsUpTo(3, 1_000, [1, 2]), MongoOutboxStore.PendingOrder)),
            ("pending", Aggregate(OutboxMessages.State, MongoOutboxStore.PendingBuckets(OutboxMessages.Rows, [1, 2, 3]))),
            ("pending", Aggregate(OutboxMessages.Rows, MongoOutboxStore.PendingStatistics)),
            ("setAside", Find(OutboxMessages.Rows, MongoOutboxStore.HeldKeys(0))),
            ("setAside", Find(OutboxMessages.Rows, MongoOutboxStore.SetAsideRows)),
        ];
        foreach (var (index, command) in queries)
        {
            var plan = await database.Database.RunCommandAsync<BsonDocument>(new BsonDocument { { "explain", command }, { "verbosity", "executionStats" } });
            plan.Remove("command");
            var text = plan.ToJson();
            text.Should().Contain($"\"{index}\"", "{0} uses it", command);
            text.Should().NotContainAny("COLLSCAN", "Seq Scan");
        }
    }

    [SkippableFact]
    public async Task Indexes_that_are_only_checked_and_missing_refuse_the_start()
    {
        await using var database = TestDatabase.On(TestDatabase.ReplicaSet);
        var unchecked_ = new MongoOutboxStore(database.Connect(static options => options.CreateIndexes = false), TimeProvider.System);
        var starting = () => unchecked_.StartAsync(TimeSpan.FromDays(1), CancellationToken.None);
        (await starting.Should().ThrowAsync<KafkaConfigurationException>()).WithMessage("*kafka_outbox*createIndex*dispatchedAt*");

        await database.StartStoreAsync();
        (await starting()).Should().Be(OutboxGuarantee.Transactional);
        await database.Collection(OutboxMessages.Rows).Indexes.DropOneAsync("pending");
        (await starting.Should().ThrowAsync<KafkaConfigurationException>()).WithMessage("*pending*bucket*sequence*partialFilterExpression*");
    }

    [SkippableFact]
    public async Task Without_transactions_the_start_says_so_or_refuses()
    {
        await using var database = TestDatabase.On(TestDatabase.Standalone);
        (await new MongoOutboxStore(database.Connect(), TimeProvider.System).StartAsync(TimeSpan.FromDays(1), CancellationToken.None)).Should()
            .Be(OutboxGuarantee.AtLeastOnce);
        var store = new MongoOutboxStore(database.Connect(static options => options.UseTransactions = true), TimeProvider.System);
        var starting = () => store.StartAsync(TimeSpan.FromDays(1), CancellationToken.None);
        (await starting.Should().ThrowAsync<KafkaConfigurationException>()).WithMessage("*UseTransactions*standalone*replica set*");
    }

    [SkippableFact]
    [NotInParallel("the server refuses everything for a second")]
    [Trait("Category", "BreaksServers")]
    public async Task Numbers_rise_over_a_step_down()
    {
        await using var database = TestDatabase.On(TestDatabase.ReplicaSet);
        var store = await database.StartStoreAsync();
        await store.EnqueueAsync(null, OutboxMessages.Create(1));
        try
        {
            await database.Database.Client.GetDatabase("admin")
                .RunCommandAsync<BsonDocument>(new BsonDocument { { "replSetStepDown", 1 }, { "force", true } });
        }
        catch (MongoException)
        {
            // It answers by closing connections.
        }

        await Waiting.UntilAsync(
            async () =>
            {
                try
                {
                    await store.EnqueueAsync(null, OutboxMessages.Create(2));
                    return true;
                }
                catch (StoreUnavailableException)
                {
                    return false;
                }
            },
            "there is a primary");
        (await store.ReadAsync(await store.AcquireAsync())).Select(OutboxMessages.NumberOf).Distinct().Should().Equal(1, 2);
    }
}
