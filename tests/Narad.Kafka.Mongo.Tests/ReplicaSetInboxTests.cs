using MongoDB.Bson;
using MongoDB.Driver;
using Narad.Kafka.Mongo;
using Narad.Kafka.Shared;

namespace Narad.Kafka.Mongo.Tests;

/// <summary>The inbox with transactions.</summary>
[Trait("Promise", "S36")]
public sealed class ReplicaSetInboxTests : InboxContract
{
    private TestDatabase? _database;

    private protected override string Server => TestDatabase.ReplicaSet;

    private TestDatabase Database => _database!;

    private IMongoCollection<BsonDocument> Effects => Database.Collection("effects");

    public override async Task InitializeAsync()
    {
        if (Environment.GetEnvironmentVariable(TestDatabase.ReplicaSet) is not { Length: > 0 })
        {
            return;
        }

        _database = TestDatabase.On(TestDatabase.ReplicaSet);
        await Database.Database.CreateCollectionAsync("effects");
        Inbox = new MongoInbox(Database.Connect(), TimeProvider.System);
        (await StartAsync()).Should().Be(InboxGuarantee.Transactional);
    }

    public override async Task DisposeAsync()
    {
        if (_database is not null)
        {
            await _database.DisposeAsync();
        }
    }

    private Func<object?, CancellationToken, Task> Write(string id, Exception? thenThrow = null) => async (session, token) =>
    {
        await Effects.InsertOneAsync((IClientSessionHandle)session!, new BsonDocument("id", id), cancellationToken: token);
        if (thenThrow is not null)
        {
            throw thenThrow;
        }
    };

    private Task<long> CountAsync() => Effects.CountDocumentsAsync(FilterDefinition<BsonDocument>.Empty);

    [SkippableFact]
    public async Task The_handlers_writes_and_the_row_commit_together_or_not_at_all()
    {
        SkipWithoutServer();
        var handling = () => Inbox.HandleAsync(Message(), Write("a", new InvalidDataException()), CancellationToken.None);
        await handling.Should().ThrowAsync<InvalidDataException>();
        (await CountAsync()).Should().Be(0);

        (await UntilDoneAsync(Message(), Write("a"))).Kind.Should().Be(InboxResultKind.Handled);
        (await CountAsync()).Should().Be(1);
        (await UntilDoneAsync(Message(), Write("a"))).Kind.Should().Be(InboxResultKind.AlreadyHandled);
        (await CountAsync()).Should().Be(1);
    }

    [SkippableFact]
    public async Task The_session_reaches_what_the_handler_injects_and_only_while_it_runs()
    {
        SkipWithoutServer();
        var accessor = new MongoSessionScope();
        IClientSessionHandle? seen = null;
        await Inbox.HandleAsync(Message(), (session, _) =>
        {
            seen = accessor.Session;
            seen.Should().BeSameAs(session);
            return Task.CompletedTask;
        }, CancellationToken.None);

        seen.Should().NotBeNull();
        accessor.Session.Should().BeNull();
    }

    [SkippableFact]
    public async Task A_write_conflict_runs_the_handler_again_in_a_new_transaction()
    {
        SkipWithoutServer();
        await Effects.InsertOneAsync(new BsonDocument { { "_id", "counter" }, { "n", 0 } });
        var results = await Task.WhenAll(Enumerable.Range(0, 4).Select(i => Task.Run(() => UntilDoneAsync(Message($"m-{i}"), async (session, token) =>
        {
            var handle = (IClientSessionHandle)session!;
            var found = await Effects.Find(handle, new BsonDocument("_id", "counter")).SingleAsync(token);
            await Effects.UpdateOneAsync(handle, new BsonDocument("_id", "counter"),
                new BsonDocument("$set", new BsonDocument("n", found["n"].AsInt32 + 1)), cancellationToken: token);
        }))));

        results.Should().OnlyContain(static result => result.Kind == InboxResultKind.Handled);
        (await Effects.Find(new BsonDocument("_id", "counter")).SingleAsync())["n"].AsInt32.Should().Be(4);
    }

    [SkippableFact]
    public async Task A_time_limit_above_the_transactions_lifetime_refuses_the_start()
    {
        SkipWithoutServer();
        var starting = () => Inbox.StartAsync(new InboxSubscription("orders", "g", TimeSpan.FromMinutes(2), Retention), CancellationToken.None);

        (await starting.Should().ThrowAsync<KafkaConfigurationException>()).WithMessage("*Timeout*00:02:00*00:01:00*TransactionLifetime*");
    }

    [SkippableFact]
    public async Task Indexes_that_are_only_checked_and_missing_refuse_the_start()
    {
        SkipWithoutServer();
        var inbox = new MongoInbox(Database.Connect(static options => { options.CreateIndexes = false; options.InboxCollection = "other"; }),
            TimeProvider.System);
        var starting = () => inbox.StartAsync(new InboxSubscription("orders", "g", null, Retention), CancellationToken.None);

        (await starting.Should().ThrowAsync<KafkaConfigurationException>()).WithMessage("*other*createIndex*expireAt*");
    }

    [SkippableTheory]
    [InlineData("insert", 91, true)]
    [InlineData("insert", 11600, false)]
    [InlineData("commitTransaction", 91, true)]
    [InlineData("commitTransaction", 10107, false)]
    [InlineData("commitTransaction", 0, false)]
    [InlineData("insert", 0, false)]
    [InlineData("find", 0, false)]
    [InlineData("abortTransaction", 0, false)]
    public async Task A_command_that_fails_changes_nothing_of_once(string command, int code, bool twice)
    {
        SkipWithoutServer();
        var name = $"narad-{Guid.CreateVersion7():n}";
        var client = TestDatabase.Client(Database.Uri, settings => settings.ApplicationName = name);
        Inbox = new MongoInbox(Database.Connect(database: client.GetDatabase(Database.Name)), TimeProvider.System);
        await StartAsync();
        await using var failpoint = await Failpoint.SetAsync(Database.Database.Client, name, command, code, twice ? 2 : 1, "RetryableWriteError");

        for (var i = 0; i < 2; i++)
        {
            await AsTheConsumerDoesAsync(Message(), Write("a"));
        }

        (await CountAsync()).Should().Be(1);
    }

    [SkippableFact]
    public async Task Write_conflicts_without_end_are_given_up_within_the_limit()
    {
        SkipWithoutServer();
        var name = $"narad-{Guid.CreateVersion7():n}";
        var client = TestDatabase.Client(Database.Uri, settings => settings.ApplicationName = name);
        Inbox = new MongoInbox(Database.Connect(static options => options.TransactionRetryTimeout = TimeSpan.FromSeconds(9), client.GetDatabase(Database.Name)),
            TimeProvider.System);
        await StartAsync();
        var calls = 0;
        await using (await Failpoint.SetAsync(Database.Database.Client, name, "commitTransaction", 112, 100_000, "TransientTransactionError"))
        {
            var watch = System.Diagnostics.Stopwatch.StartNew();
            var handling = () => UntilDoneAsync(Message(), async (session, token) =>
            {
                calls++;
                await Write("a")(session, token);
            });

            await handling.Should().ThrowAsync<MongoException>();
            watch.Elapsed.Should().BeLessThan(TimeSpan.FromSeconds(60), "the driver's own way would take 120 s");
        }

        calls.Should().BeGreaterThan(1);
        (await CountAsync()).Should().Be(0);
        (await UntilDoneAsync(Message(), Write("a"))).Kind.Should().Be(InboxResultKind.Handled);
    }

    [SkippableFact]
    [NotInParallel("the failpoint meets every transaction on the server")]
    [Trait("Category", "BreaksServers")]
    public async Task A_commit_whose_answer_is_lost_is_found_in_the_inbox()
    {
        SkipWithoutServer();
        await Database.Database.Client.GetDatabase("admin").RunCommandAsync<BsonDocument>(new BsonDocument
        {
            { "configureFailPoint", "onPrimaryTransactionalWrite" }, { "mode", new BsonDocument("times", 1) },
                { "data", new BsonDocument("closeConnection", true) },
        });

        await AsTheConsumerDoesAsync(Message(), Write("a"));
        (await Inbox.HandleAsync(Message(), Write("a"), CancellationToken.None)).Kind.Should().Be(InboxResultKind.AlreadyHandled);
        (await CountAsync()).Should().Be(1);
    }

    [SkippableFact]
    [NotInParallel("the server refuses everything for a second")]
    [Trait("Category", "BreaksServers")]
    public async Task A_step_down_in_the_middle_loses_and_repeats_nothing()
    {
        SkipWithoutServer();
        var calls = 0;
        await AsTheConsumerDoesAsync(Message(), async (session, token) =>
        {
            await Write("a")(session, token);
            if (Interlocked.Increment(ref calls) == 1)
            {
                try
                {
                    await Database.Database.Client.GetDatabase("admin")
                        .RunCommandAsync<BsonDocument>(new BsonDocument { { "replSetStepDown", 1 }, { "force", true } }, cancellationToken: token);
                }
                catch (MongoException)
                {
                    // It answers by closing connections.
                }
            }
        });

        (await CountAsync()).Should().Be(1);
        (await UntilDoneAsync(Message(), Write("a"))).Kind.Should().Be(InboxResultKind.AlreadyHandled);
    }

    // Busy, and an unavailable store: again.
    private async Task AsTheConsumerDoesAsync(InboxMessage message, Func<object?, CancellationToken, Task> handler) => await Waiting.UntilAsync(
        async () =>
        {
            try
            {
                return (await Inbox.HandleAsync(message, handler, CancellationToken.None)).Kind is not InboxResultKind.Busy;
            }
            catch (StoreUnavailableException)
            {
                return false;
            }
        },
        "the message was handled");
}
