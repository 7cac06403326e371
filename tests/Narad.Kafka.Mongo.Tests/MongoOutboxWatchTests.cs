using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using MongoDB.Bson;
using MongoDB.Driver;
using MongoDB.Driver.Core.Events;

namespace Narad.Kafka.Mongo.Tests;

/// <summary>The change stream that wakes the relay, and what is left when it fails.</summary>
[Trait("Promise", "S37")]
public sealed class MongoOutboxWatchTests
{
    [SkippableFact]
    public async Task What_is_committed_or_retried_signals_and_what_is_not_does_not()
    {
        await using var database = TestDatabase.On(TestDatabase.ReplicaSet);
        var store = await database.StartStoreAsync();
        await using var watch = await Watch.StartAsync(store);

        using (var session = await database.Database.Client.StartSessionAsync())
        {
            session.StartTransaction();
            await store.EnqueueAsync(session, OutboxMessages.Create(1));
            await session.AbortTransactionAsync();
        }

        var before = watch.Signals;
        await store.EnqueueAsync(null, OutboxMessages.Create(2));
        await watch.SignalledAfterAsync(before);
        watch.Signals.Should().Be(before + 1, "an aborted transaction signals nothing");

        var lease = await store.AcquireAsync();
        var row = (await store.ReadAsync(lease)).Single();
        await store.SetAsideAsync(lease, row, "no", holdsKey: false, CancellationToken.None);
        before = watch.Signals;
        (await store.RetryAsync([row.Message.Id], CancellationToken.None)).Should().Be(1);
        await watch.SignalledAfterAsync(before);
    }

    [SkippableFact]
    public async Task A_transaction_of_another_process_wakes_the_relay_an_hour_before_it_polls()
    {
        await using var database = TestDatabase.On(TestDatabase.ReplicaSet);
        var other = TestDatabase.Client(database.Uri, settings => settings.ApplicationName = $"writer-{database.Name}").GetDatabase(database.Name);
        var (store, writer) = (await database.StartStoreAsync(), await database.StartStoreAsync(through: other));
        var topic = new FakeTopic();
        var options = new OutboxOptions { PollInterval = TimeSpan.FromHours(1), LeaseDuration = TimeSpan.FromMinutes(5) };
        await using var relay = await TestRelay.StartAsync(store, topic, options);
        await Waiting.UntilAsync(() => relay.Relay.Held == OutboxMessage.BucketCount && store.WakeUp is MongoOutboxWakeUp.ChangeStream, "it is ready");

        // The first one may be found by the look that follows the taking of the buckets.
        for (var number = 1; number <= 3; number++)
        {
            using var session = await other.Client.StartSessionAsync();
            session.StartTransaction();
            await writer.EnqueueAsync(session, OutboxMessages.Create(number, bucket: number));
            await session.CommitTransactionAsync();
            await Waiting.UntilAsync(() => topic.Written.Count == number, "it was sent");
        }
    }

    [SkippableFact]
    public async Task A_dead_token_is_dropped_and_a_stream_that_fails_again_and_again_is_opened_with_backoff_and_warned_of_once()
    {
        await using var database = TestDatabase.On(TestDatabase.ReplicaSet);
        var name = $"narad-{Guid.CreateVersion7():n}";
        var opened = 0;
        var resumed = 0;
        var client = TestDatabase.Client(database.Uri, settings =>
        {
            settings.ApplicationName = name;
            settings.ClusterConfigurator = cluster => cluster.Subscribe<CommandStartedEvent>(started =>
            {
                if (started.CommandName is "aggregate" && started.Command["pipeline"][0].AsBsonDocument.TryGetValue("$changeStream", out var options))
                {
                    Interlocked.Increment(ref opened);
                    Interlocked.Add(ref resumed, options.AsBsonDocument.Contains("resumeAfter") || options.AsBsonDocument.Contains("startAfter") ? 1 : 0);
                }
            });
        });
        using var log = new Log();
        var connection = new MongoConnection(() => client.GetDatabase(database.Name), new MongoOptions(), log.CreateLogger<MongoConnection>());
        var store = new MongoOutboxStore(connection, TimeProvider.System);
        await store.StartAsync(TimeSpan.FromDays(1), CancellationToken.None);
        await using var watch = await Watch.StartAsync(store);
        await using (await Failpoint.SetAsync(database.Database.Client, name, "getMore", 286, 100, "NonResumableChangeStreamError"))
        {
            await Waiting.UntilAsync(() => Volatile.Read(ref opened) >= 4, "it was opened three times more");
            store.WakeUp.Should().Be(MongoOutboxWakeUp.Reconnecting);
            var lease = await store.AcquireAsync();
            await store.EnqueueAsync(null, OutboxMessages.Create());
            (await store.ReadAsync(lease)).Should().ContainSingle("polling needs no stream");
        }

        await Waiting.UntilAsync(() => store.WakeUp is MongoOutboxWakeUp.ChangeStream, "it is open again");
        var before = watch.Signals;
        await store.EnqueueAsync(null, OutboxMessages.Create());
        await watch.SignalledAfterAsync(before);
        resumed.Should().Be(0, "the token is not used again");
        opened.Should().BeLessThan(12, "pauses grow");
        log.Entries.Where(static entry => entry.Level >= LogLevel.Warning).Should().ContainSingle().Which.Text.Should().Contain("change stream");
    }

    [SkippableFact]
    public async Task A_stream_that_tells_nothing_of_what_polling_finds_is_opened_anew()
    {
        await using var database = TestDatabase.On(TestDatabase.ReplicaSet);
        using var log = new Log();
        var time = new FakeTimeProvider();
        var store = new MongoOutboxStore(
            new MongoConnection(() => database.Database, new MongoOptions(), log.CreateLogger<MongoConnection>()), time);
        await store.StartAsync(TimeSpan.FromDays(1), CancellationToken.None);
        await using var watch = await Watch.StartAsync(store);
        var lease = await store.AcquireAsync();
        await store.EnqueueAsync(null, OutboxMessages.Create());
        await store.ReadAsync(lease);
        time.Advance(TimeSpan.FromMinutes(5));
        await Waiting.UntilAsync(() => watch.Signals >= 2, "the stream told of it");
        log.Entries.Should().NotContain(static entry => entry.Level >= LogLevel.Warning);

        // Polling reads a row of which the stream never tells.
        await database.Collection(OutboxMessages.Rows).UpdateManyAsync(new BsonDocument(), new BsonDocument("$inc", new BsonDocument("sequence", 10L)));
        (await store.ReadAsync(lease)).Should().ContainSingle();
        time.Advance(TimeSpan.FromSeconds(11));
        await Waiting.UntilAsync(() => store.WakeUp is MongoOutboxWakeUp.Reconnecting, "it was found out");
        log.Entries.Should().ContainSingle(static entry => entry.Level >= LogLevel.Warning);
        var before = watch.Signals;
        await Waiting.UntilAsync(
            () =>
            {
                time.Advance(TimeSpan.FromSeconds(1));
                return store.WakeUp is MongoOutboxWakeUp.ChangeStream && watch.Signals > before;
            },
            "it is open again, and what it missed is looked for");
    }

    [SkippableFact]
    public async Task A_stream_takes_one_connection_and_none_where_there_are_few()
    {
        await using var database = TestDatabase.On(TestDatabase.ReplicaSet);
        foreach (var (size, expected) in new[] { (4, MongoOutboxWakeUp.ChangeStream), (3, MongoOutboxWakeUp.None) })
        {
            var checkedOut = 0;
            var most = 0;
            var client = TestDatabase.Client(database.Uri, settings =>
            {
                (settings.MaxConnectionPoolSize, settings.ApplicationName) = (size, $"narad-pool-{size}-{database.Name}");
                settings.ClusterConfigurator = cluster => cluster
                    .Subscribe<ConnectionPoolCheckedOutConnectionEvent>(_ => most = Math.Max(most, Interlocked.Increment(ref checkedOut)))
                    .Subscribe<ConnectionPoolCheckedInConnectionEvent>(_ => Interlocked.Decrement(ref checkedOut));
            });
            using var log = new Log();
            var store = new MongoOutboxStore(
                new MongoConnection(() => client.GetDatabase(database.Name), new MongoOptions(), log.CreateLogger<MongoConnection>()), TimeProvider.System);
            await store.StartAsync(TimeSpan.FromDays(1), CancellationToken.None);
            most = 0;
            await using var watch = await Watch.StartAsync(store, expected);
            if (expected is MongoOutboxWakeUp.None)
            {
                await Waiting.UntilAsync(() => log.Entries.Any(static entry => entry.Text.Contains("maxPoolSize", StringComparison.Ordinal)), "it says so");
            }

            // One call at a time beside it.
            for (var i = 0; i < 20; i++)
            {
                await store.EnqueueAsync(null, OutboxMessages.Create(i));
            }

            most.Should().BeLessThanOrEqualTo(expected is MongoOutboxWakeUp.None ? 1 : 2);
            store.WakeUp.Should().Be(expected);
        }
    }

    [SkippableFact]
    public async Task A_standalone_server_has_no_stream_and_what_this_process_stores_is_reported()
    {
        await using var database = TestDatabase.On(TestDatabase.Standalone);
        var store = await database.StartStoreAsync();
        await using var watch = await Watch.StartAsync(store, MongoOutboxWakeUp.None);
        await store.EnqueueAsync(null, OutboxMessages.Create());

        (store.WakeUp, watch.Signals).Should().Be((MongoOutboxWakeUp.None, 1));
    }

    /// <summary>A running watch that counts.</summary>
    private sealed class Watch : IAsyncDisposable
    {
        private readonly CancellationTokenSource _stopping = new();
        private Task _running = Task.CompletedTask;
        private int _signals;

        public int Signals => Volatile.Read(ref _signals);

        public static async Task<Watch> StartAsync(MongoOutboxStore store, MongoOutboxWakeUp expected = MongoOutboxWakeUp.ChangeStream)
        {
            var watch = new Watch();
            watch._running = Task.Run(() => store.WatchAsync(_ => Interlocked.Increment(ref watch._signals), watch._stopping.Token));
            if (expected is MongoOutboxWakeUp.ChangeStream)
            {
                await watch.SignalledAfterAsync(0);
            }

            return watch;
        }

        public Task SignalledAfterAsync(int before) => Waiting.UntilAsync(() => Signals > before, "it signalled");

        public async ValueTask DisposeAsync()
        {
            await _stopping.CancelAsync();
            await _running;
            _stopping.Dispose();
        }
    }

    private sealed class Log : ILoggerProvider
    {
        private readonly LoggerFactory _factory;

        public Log() => _factory = new LoggerFactory([this]);

        public ConcurrentQueue<(LogLevel Level, string Text)> Entries { get; } = new();

        public ILogger<T> CreateLogger<T>() => _factory.CreateLogger<T>();

        public ILogger CreateLogger(string categoryName) => new Logger(this);

        public void Dispose()
        {
        }

        private sealed class Logger(Log log) : ILogger
        {
            public IDisposable? BeginScope<TState>(TState state)
                where TState : notnull => null;

            public bool IsEnabled(LogLevel logLevel) => true;

            public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
                log.Entries.Enqueue((logLevel, formatter(state, exception)));
        }
    }
}
