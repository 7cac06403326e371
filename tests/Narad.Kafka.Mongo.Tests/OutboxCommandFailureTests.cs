using System.Collections.Concurrent;
using MongoDB.Bson;
using MongoDB.Driver;
using Narad.Kafka.Shared;

namespace Narad.Kafka.Mongo.Tests;

/// <summary>Each command that an outbox and its relay send fails while they work: they enqueue, send, are refused, and relays come and go.</summary>
[Trait("Promise", "S37")]
public sealed class OutboxCommandFailureTests
{
    private const int NetworkError = 0;
    private const int NotWritablePrimary = 10107;

    [SkippableTheory]
    [Long]
    [InlineData(NetworkError)]
    [InlineData(NotWritablePrimary)]
    public async Task Whichever_command_fails_everything_is_sent_in_order_and_nothing_is_lost(int code)
    {
        await using var database = TestDatabase.On(TestDatabase.ReplicaSet);
        await using var failing = await FailingCommands.CreateAsync(database, code, OutboxCommands.Times, OutboxCommands.KindOf);
        var store = new MongoOutboxStore(database.Connect(database: failing.Client.GetDatabase(database.Name)), TimeProvider.System);
        var load = new Load(store, database);

        await load.RunAsync(until: () => !failing.Left.Any());
        failing.Left.Should().BeEmpty("each command has failed");
        failing.Unknown.Should().BeEmpty("each command that an outbox sends is one of those");

        await using var relay = await TestRelay.StartAsync(store, load.Topic, Options());
        await load.VerifyAsync();
    }

    private static OutboxOptions Options()
    {
        var options = TestRelay.CreateOptions(lease: TimeSpan.FromSeconds(4));
        options.MaxAttempts = 2;
        return options;
    }

    /// <summary>Who uses the outbox, through the client whose commands fail; what is unavailable is tried again.</summary>
    private sealed class Load
    {
        private const int Keys = 6;

        private readonly MongoOutboxStore _store;
        private readonly TestDatabase _database;
        private readonly List<OutboxMessage> _enqueued = [];                 // used by the writing, and afterwards by the verifying
        private readonly ConcurrentDictionary<string, bool> _refused = new();   // whether it is to be discarded
        private readonly CancellationTokenSource _stopping = new();

        public Load(MongoOutboxStore store, TestDatabase database)
        {
            (_store, _database) = (store, database);
            Topic.Sending = message => _refused.ContainsKey(message.Id) ? throw FakeTopic.Refusal(message) : Task.CompletedTask;
        }

        public FakeTopic Topic { get; } = new();

        public async Task RunAsync(Func<bool> until)
        {
            Task[] tasks = [Task.Run(WriteAsync), Task.Run(OperateAsync), Task.Run(RelayAsync)];
            try
            {
                await Waiting.UntilAsync(() => until() || Array.Exists(tasks, static task => task.IsCompleted), "each command failed");
            }
            catch (TimeoutException)
            {
                // The test names what is left.
            }

            await _stopping.CancelAsync();
            await Task.WhenAll(tasks);
        }

        public async Task VerifyAsync()
        {
            await Waiting.UntilAsync(
                async () =>
                {
                    await OperateOnceAsync();
                    return await _database.CountAsync("pending") == 0 && await _database.CountAsync("setAside") == 0;
                },
                "everything was sent or discarded");
            var expected = _enqueued.Where(message => !_refused.GetValueOrDefault(message.Id)).ToList();
            Topic.ShouldHold(expected);
            (await _database.CountAsync("dispatched")).Should().Be(expected.Count);
        }

        // One or two messages at a time, so that their order is known. Of twenty, one is refused until it is retried, and one until it is discarded.
        private async Task WriteAsync()
        {
            for (var number = 0; !_stopping.IsCancellationRequested; number++)
            {
                var key = number % Keys;
                var messages = Enumerable.Range(0, 1 + (number % 2)).Select(_ => OutboxMessages.Create(number, bucket: 10 * key, keyHash: key + 1)).ToArray();
                if (number % 10 == 5)
                {
                    _refused.TryAdd(messages[0].Id, number % 20 == 15);
                }

                if (await IsEnqueuedAsync(messages))
                {
                    _enqueued.AddRange(messages);
                }

                await Task.Delay(50);
            }
        }

        // A command that meets a failpoint is not done: what is not there now does not come later.
        private async Task<bool> IsEnqueuedAsync(OutboxMessage[] messages)
        {
            if (await IsAvailableAsync(() => _store.EnqueueAsync(messages, null, CancellationToken.None)))
            {
                return true;
            }

            var ids = new BsonArray(messages.Select(static message => message.Id));
            return await _database.Collection(OutboxMessages.Rows).CountDocumentsAsync(new BsonDocument("_id", new BsonDocument("$in", ids))) > 0;
        }

        private async Task OperateAsync()
        {
            while (!_stopping.IsCancellationRequested)
            {
                await OperateOnceAsync();
                await Task.Delay(50);
            }
        }

        private Task<bool> OperateOnceAsync() => IsAvailableAsync(async () =>
        {
            foreach (var one in await _store.ListSetAsideAsync(null, 100, CancellationToken.None))
            {
                string[] id = [one.Message.Id];
                if (_refused.GetValueOrDefault(one.Message.Id))
                {
                    await _store.DiscardAsync(id, CancellationToken.None);
                }
                else
                {
                    _refused.TryRemove(one.Message.Id, out _);
                    await _store.RetryAsync(id, CancellationToken.None);
                }
            }
        });

        // Relays come and go. Another one, whose commands do not fail, takes its share of the buckets and gives it back.
        private async Task RelayAsync()
        {
            var other = new MongoOutboxStore(_database.Connect(), TimeProvider.System);
            while (!_stopping.IsCancellationRequested)
            {
                await using var relay = await TestRelay.StartAsync(_store, Topic, Options());
                await UntilAsync(() => relay.Relay.Held > 0, "it has buckets");
                await using (var second = await TestRelay.StartAsync(other, Topic, Options()))
                {
                    await UntilAsync(() => second.Relay.Held > 0, "the other one has its share");
                }

                var before = Topic.Written.Count;
                await UntilAsync(() => Topic.Written.Count > before + 20, "messages are sent");
            }
        }

        private Task UntilAsync(Func<bool> condition, string what) => Waiting.UntilAsync(() => condition() || _stopping.IsCancellationRequested, what);

        private static async Task<bool> IsAvailableAsync(Func<Task> call)
        {
            try
            {
                await call();
                return true;
            }
            catch (StoreUnavailableException)
            {
                return false;
            }
        }
    }
}
