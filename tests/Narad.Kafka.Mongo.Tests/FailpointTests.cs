using System.Collections.Concurrent;
using MongoDB.Bson;
using MongoDB.Driver;
using MongoDB.Driver.Core.Events;
using Narad.Kafka.Mongo;

namespace Narad.Kafka.Mongo.Tests;

/// <summary>Every command that the library sends fails, in each way that a server fails: the answer is typed, and trying again loses and doubles
/// nothing.</summary>
[Trait("Promise", "S36")]
public sealed class FailpointTests
{
    private const int Messages = 120;   // more than one cursor batch

    private const string Store = "store";
    private const string Transactions = "transactions";
    private const string Claims = "claims";
    private const string Outbox = "outbox";

    /// <summary>What the driver sends by itself.</summary>
    private static readonly string[] Drivers = ["isMaster", "getLastError", "endSessions", "killCursors"];

    /// <summary>Every command that the library sends, by what sends it.</summary>
    private static readonly Dictionary<string, string[]> Commands = new(StringComparer.Ordinal)
    {
        [Store] = ["hello", "listIndexes", "create", "createIndexes", "collMod", "insert", "update", "find", "getMore"],
        [Transactions] = ["hello", "listIndexes", "create", "createIndexes", "insert", "find", "commitTransaction", "abortTransaction"],
        [Claims] = ["hello", "listIndexes", "create", "createIndexes", "findAndModify", "update", "delete"],
        [Outbox] =
        [
            "hello", "listIndexes", "create", "createIndexes", "findAndModify", "insert", "commitTransaction", "update", "delete", "find", "aggregate",
        ],
    };

    public static TheoryData<string, string, int, int> Failures()
    {
        var failures = new TheoryData<string, string, int, int>();
        foreach (var (part, command) in Commands.SelectMany(static part => part.Value.Select(command => (part.Key, command)))
            .DistinctBy(static one => one.command)
            .Concat([(Transactions, "insert"), (Transactions, "find"), (Claims, "update")])
            .Concat(Commands[Outbox].Except(["hello", "listIndexes", "create", "createIndexes"]).Select(static command => (Outbox, command)))
            .Distinct())
        {
            failures.Add(part, command, 0, 3);   // the connection is closed, more often than the driver repeats anything
            failures.Add(part, command, command.Length % 2 == 0 ? 91 : 11602, 2);   // ShutdownInProgress, InterruptedDueToReplStateChange
        }

        return failures;
    }

    [SkippableTheory]
    [InlineData(Store)]
    [InlineData(Transactions)]
    [InlineData(Claims)]
    [InlineData(Outbox)]
    public async Task The_commands_are_those_that_the_failpoints_are_tried_on(string part)
    {
        await using var database = TestDatabase.On(TestDatabase.ReplicaSet);
        var scenario = await Scenario.CreateAsync(database);

        await scenario.RunAsync(part);

        scenario.Sent.Except(Drivers).Should().BeEquivalentTo(Commands[part]);
        scenario.Outages.Should().BeEmpty();
    }

    [SkippableTheory]
    [MemberData(nameof(Failures))]
    public async Task A_command_that_fails_is_an_unavailable_store_at_most_and_changes_nothing(string part, string command, int code, int times)
    {
        await using var database = TestDatabase.On(TestDatabase.ReplicaSet);
        var scenario = await Scenario.CreateAsync(database);
        await using var failpoint = await Failpoint.SetAsync(database.Database.Client, scenario.Name, command, code, times);

        await scenario.RunAsync(part);

        scenario.Failed.Should().Contain((command, code), "the failpoint was met");
    }

    /// <summary>All that inbox and store do; what is unavailable is tried again, as the consumer does, and any other
    /// exception ends the test. A client of its own, whom the failpoint meets alone.</summary>
    private sealed class Scenario
    {
        private readonly TestDatabase _database;
        private readonly ConcurrentDictionary<string, byte> _sent = new();
        private readonly ConcurrentDictionary<(string Command, int Code), byte> _failed = new();
        private readonly MongoConnection _connection;

        private Scenario(TestDatabase database)
        {
            _database = database;
            var client = TestDatabase.Client(database.Uri, settings =>
            {
                settings.ApplicationName = Name;
                settings.ClusterConfigurator = cluster => cluster
                    .Subscribe<CommandStartedEvent>(started => _sent.TryAdd(started.CommandName, 0))
                    .Subscribe<CommandFailedEvent>(failed => _failed.TryAdd((failed.CommandName, CodeOf(failed.Failure)), 0))

                    // The driver says hello too, and meets the failpoint first.
                    .Subscribe<ServerHeartbeatFailedEvent>(failed => _failed.TryAdd(("hello", CodeOf(failed.Exception)), 0))
                    .Subscribe<ConnectionOpeningFailedEvent>(failed => _failed.TryAdd(("hello", CodeOf(failed.Exception)), 0));
            });
            _connection = database.Connect(database: client.GetDatabase(database.Name));
        }

        public string Name { get; } = $"narad-{Guid.CreateVersion7():n}";

        public ICollection<string> Sent => _sent.Keys;

        /// <summary>0: the connection failed.</summary>
        public ICollection<(string Command, int Code)> Failed => _failed.Keys;

        public ConcurrentQueue<StoreUnavailableException> Outages { get; } = new();

        public static async Task<Scenario> CreateAsync(TestDatabase database)
        {
            await database.Database.CreateCollectionAsync("effects");
            return new Scenario(database);
        }

        public Task RunAsync(string part) => part switch
        {
            Store => StoreAsync(),
            Outbox => RelayAsync(),
            _ => HandleAsync(part, useTransactions: part is Transactions),
        };

        private static int CodeOf(Exception error)
        {
            for (var cause = error; cause is not null; cause = cause.InnerException)
            {
                if (cause is MongoCommandException command)
                {
                    return command.Code;
                }
            }

            return 0;
        }

        private async Task StoreAsync()
        {
            var store = new MongoMessageStore(_connection, TimeProvider.System, json: null);
            foreach (var (mode, collection) in new[] { (MessageWriteMode.InsertIfAbsent, "absent"), (MessageWriteMode.ReplaceIfNewer, "newer") })
            {
                var target = new MessageStoreTarget(collection, mode, TimeSpan.FromDays(1));
                await AgainAsync(() => store.StartAsync(target with { Retention = TimeSpan.FromDays(2) }, CancellationToken.None));
                await AgainAsync(() => store.StartAsync(target, CancellationToken.None));
                for (var version = 2; version > 0; version--)
                {
                    var messages = Enumerable.Range(0, Messages).Select(number => new StoredMessage(
                        $"m-{number}", Document: null, new { Number = number }, new MessageContext { Topic = "t", Offset = version }, version)).ToList();
                    await AgainAsync(async () => (await store.WriteAsync(target, messages, CancellationToken.None)).Should()
                        .OnlyContain(static error => error == null));
                }

                (await _database.Collection(collection).CountDocumentsAsync(new BsonDocument("offset", 2))).Should().Be(Messages);
            }
        }

        private async Task HandleAsync(string group, bool useTransactions)
        {
            var options = _connection.Options;
            (options.UseTransactions, options.InboxCollection, options.ClaimDuration) = (useTransactions, group, TimeSpan.FromSeconds(1));
            var inbox = new MongoInbox(_connection, TimeProvider.System);
            await AgainAsync(() => inbox.StartAsync(new InboxSubscription("t", group, null, TimeSpan.FromDays(1)), CancellationToken.None));
            var effects = _connection.Database.GetCollection<BsonDocument>("effects");
            var message = new InboxMessage(group, "t", "m", new TopicPartitionOffsetId("t", 0, 0), TimeSpan.FromDays(1));

            // A handler that fails: its transaction is aborted, its claim released.
            await AgainAsync(async () =>
            {
                try
                {
                    await inbox.HandleAsync(message, static (_, _) => throw new InvalidDataException("refused"), CancellationToken.None);
                }
                catch (InvalidDataException)
                {
                    // As it should.
                }
            });

            var calls = 0;
            async Task Write(object? session, CancellationToken token)
            {
                calls++;
                await (session is IClientSessionHandle handle
                    ? effects.InsertOneAsync(handle, new BsonDocument("group", group), cancellationToken: token)
                    : _database.Collection("effects").InsertOneAsync(new BsonDocument("group", group), cancellationToken: token));
                if (session is null)
                {
                    var claimed = await LeaseAsync();
                    await Waiting.UntilAsync(async () => token.IsCancellationRequested || await LeaseAsync() > claimed, "the claim is renewed");
                    token.ThrowIfCancellationRequested();
                }
            }

            // By the client that meets no failpoint.
            async Task<DateTime> LeaseAsync() =>
                (await _database.Collection(group).Find(new BsonDocument("_id", MongoInbox.IdOf(message))).SingleAsync())["leaseUntil"].ToUniversalTime();

            for (var time = 0; time < 2; time++)
            {
                await AgainAsync(async () =>
                {
                    while ((await inbox.HandleAsync(message, Write, CancellationToken.None)).Kind is InboxResultKind.Busy)
                    {
                        await Task.Delay(50);
                    }
                });
            }

            (await _database.Collection("effects").CountDocumentsAsync(new BsonDocument("group", group))).Should().Be(1);
            calls.Should().BePositive();
        }

        // All that an outbox and its relay do. A message whose enqueuing failed may be stored, and is enqueued again as another one.
        private async Task RelayAsync()
        {
            var store = new MongoOutboxStore(_connection, TimeProvider.System);
            var (none, time) = (CancellationToken.None, TimeSpan.FromMinutes(1));
            await AgainAsync(() => store.StartAsync(TimeSpan.FromDays(1), none));
            await AgainAsync(() => store.EnqueueAsync([OutboxMessages.Create(1)], null, none));
            await AgainAsync(() => store.EnqueueAsync([OutboxMessages.Create(2), OutboxMessages.Create(3), OutboxMessages.Create(4)], null, none));

            // A bucket that was taken and whose answer was lost is among those held.
            OutboxLease? lease = null;
            await AgainAsync(() => store.TryAcquireAsync("r", 0, time, none));
            await AgainAsync(async () => lease = (await store.HeartbeatAsync("r", time, none)).Held.Single());
            await AgainAsync(async () => (await store.FindPendingBucketsAsync([0, 1], none)).Should().Equal(0));
            IReadOnlyList<OutboxRow> rows = [];
            await AgainAsync(async () => rows = await store.ReadPendingAsync(lease!, [], 100, none));
            rows.Count.Should().BeInRange(4, Outages.IsEmpty ? 4 : 20);
            await AgainAsync(() => store.RecordRefusalAsync(lease!, rows[0], "no", none));
            await AgainAsync(() => store.SetAsideAsync(lease!, rows[0], "no", holdsKey: true, none));
            await AgainAsync(() => store.SetAsideAsync(lease!, rows[1], "no", holdsKey: false, none));
            await AgainAsync(async () => (await store.ListSetAsideAsync(null, 10, none)).Should().HaveCount(2));
            await AgainAsync(() => store.RetryAsync([rows[0].Message.Id], none));
            await AgainAsync(() => store.DiscardAsync([rows[1].Message.Id], none));
            IReadOnlyList<OutboxRow> left = [];
            await AgainAsync(async () => left = await store.ReadPendingAsync(lease!, [], 100, none));
            left.Select(static row => row.Sequence).Should().Equal(rows.Except([rows[1]]).Select(static row => row.Sequence));
            await AgainAsync(() => store.MarkDispatchedAsync(lease!, left, none));
            await AgainAsync(async () => (await store.GetStatisticsAsync(none)).Should().Be(new OutboxStatistics(0, null, 0)));
            await AgainAsync(() => store.ReleaseAsync(lease!, none));
            await AgainAsync(() => store.LeaveAsync("r", none));
            (await _database.CountAsync("dispatched")).Should().Be(left.Count);
        }

        private Task AgainAsync(Func<Task> step) => Waiting.UntilAsync(
            async () =>
            {
                try
                {
                    await step();
                    return true;
                }
                catch (StoreUnavailableException outage)
                {
                    Outages.Enqueue(outage);
                    return false;
                }
            },
            "the step succeeded");
    }
}
