using System.Collections.Concurrent;
using Microsoft.Extensions.Time.Testing;
using MongoDB.Bson;
using MongoDB.Driver;
using MongoDB.Driver.Core.Events;

namespace Narad.Kafka.Mongo.Tests;

/// <summary>How many commands a message costs. Time says less on a busy machine.</summary>
[Trait("Promise", "S37")]
public sealed class OutboxCostTests
{
    private readonly ConcurrentDictionary<string, int> _commands = new(StringComparer.Ordinal);
    private volatile string? _concern;   // with which the last number was taken

    [SkippableFact]
    public async Task A_message_costs_a_number_and_an_insert_and_nothing_else()
    {
        await using var database = TestDatabase.On(TestDatabase.ReplicaSet);
        var (client, store) = await StartAsync(database);
        for (var i = 0; i < 5; i++)
        {
            await store.EnqueueAsync(null, OutboxMessages.Create(i));
        }

        _commands.Should().BeEquivalentTo(new Dictionary<string, int> { ["findAndModify"] = 5, ["insert"] = 5 });
        _concern.Should().Be("majority");

        _commands.Clear();
        var orders = client.GetDatabase(database.Name).GetCollection<BsonDocument>("orders");
        using (var session = await client.StartSessionAsync())
        {
            session.StartTransaction();
            await orders.InsertOneAsync(session, new BsonDocument("number", 1));
            await store.EnqueueAsync(session, OutboxMessages.Create(6));
            await session.CommitTransactionAsync();
        }

        _commands.Should().BeEquivalentTo(new Dictionary<string, int> { ["findAndModify"] = 1, ["insert"] = 2, ["commitTransaction"] = 1 });
        _concern.Should().Be("1", "the commit waits for the majority");
    }

    [SkippableFact]
    public async Task A_number_waits_for_the_majority_where_the_transaction_is_of_another_client()
    {
        // The two clients may take different members for the primary.
        await using var database = TestDatabase.On(TestDatabase.ReplicaSet);
        var (_, store) = await StartAsync(database);
        using var session = await database.Database.Client.StartSessionAsync();
        session.StartTransaction();
        await store.EnqueueAsync(session, OutboxMessages.Create(1));
        await session.CommitTransactionAsync();

        _concern.Should().Be("majority");
        (await database.CountAsync("pending")).Should().Be(2);
    }

    [SkippableTheory]
    [InlineData(TestDatabase.Standalone)]
    [InlineData(TestDatabase.ReplicaSet)]
    public async Task Messages_that_are_enqueued_at_once_share_requests_for_numbers(string server)
    {
        await using var database = TestDatabase.On(server);
        var (_, store) = await StartAsync(database);
        await Task.WhenAll(Enumerable.Range(0, 200).Select(i => store.EnqueueAsync(null, OutboxMessages.Create(i))));

        (await database.CountAsync("pending")).Should().Be(201);
        _commands["findAndModify"].Should().BeLessThan(100);
    }

    [SkippableTheory]
    [InlineData(TestDatabase.Standalone)]
    [InlineData(TestDatabase.ReplicaSet)]
    public async Task A_batch_is_read_with_two_commands_and_marked_with_two(string server)
    {
        await using var database = TestDatabase.On(server);
        var (_, store) = await StartAsync(database);
        await store.EnqueueAsync(null, [.. Enumerable.Range(0, 100).Select(static i => OutboxMessages.Create(i, keyHash: i))]);
        var lease = await store.AcquireAsync();
        await store.ReadAsync(lease);   // the first read takes the bucket over
        _commands.Clear();

        var rows = await store.ReadAsync(lease);
        _commands.Should().BeEquivalentTo(new Dictionary<string, int> { ["find"] = 2 });

        _commands.Clear();
        (await store.MarkDispatchedAsync(lease, rows, CancellationToken.None)).Should().Be(101);
        _commands.Should().BeEquivalentTo(new Dictionary<string, int> { ["find"] = 1, ["update"] = 1 });
    }

    [SkippableTheory]
    [InlineData(TestDatabase.Standalone)]
    [InlineData(TestDatabase.ReplicaSet)]
    public async Task Buckets_that_are_marked_at_once_share_commands_and_each_is_told_what_was_marked(string server)
    {
        await using var database = TestDatabase.On(server);
        var (_, store) = await StartAsync(database);
        var other = await database.StartStoreAsync();
        await store.EnqueueAsync(null, [.. Enumerable.Range(0, 200).Select(static i => OutboxMessages.Create(i, bucket: 1 + (i % 20)))]);
        var batches = new List<(OutboxLease Lease, IReadOnlyList<OutboxRow> Rows)>();
        for (var bucket = 1; bucket <= 20; bucket++)
        {
            var lease = await store.AcquireAsync(bucket: bucket);
            batches.Add((lease, await store.ReadAsync(lease)));
        }

        // Another relay takes the first bucket, and the server says that it did not: as if it came between the check and the change.
        var lost = batches[0].Lease;
        await store.ReleaseAsync(lost, CancellationToken.None);
        await other.ReadAsync(await other.AcquireAsync("r-2", lost.Bucket));
        await database.Collection(OutboxMessages.State).UpdateOneAsync(new BsonDocument("_id", lost.Bucket),
            new BsonDocument("$set", new BsonDocument { { "relay", lost.Relay }, { "fence", lost.Fence } }));
        await store.ReleaseAsync(batches[1].Lease, CancellationToken.None);
        _commands.Clear();

        var marked = await Task.WhenAll(batches.Select(batch => store.MarkDispatchedAsync(batch.Lease, batch.Rows, CancellationToken.None)));
        marked.Should().Equal([0, 0, .. Enumerable.Repeat(10, 18)]);
        _commands["update"].Should().BeLessThan(10);
        (await database.CountAsync("dispatched")).Should().Be(180);
    }

    [Fact]
    public async Task A_relay_reads_a_batch_with_one_call_and_marks_what_is_acknowledged_together_with_one()
    {
        // Time stands still: what is gathered is gathered until the last key ends.
        var time = new FakeTimeProvider(DateTimeOffset.UtcNow);
        var calls = new ConcurrentQueue<string>();
        var memory = new InMemoryOutboxStore(time);
        var store = new FaultyOutboxStore(memory) { Before = calls.Enqueue };
        await memory.EnqueueAsync([.. Enumerable.Range(0, 50).Select(static i => OutboxMessages.Create(i, keyHash: i % 40))], null, CancellationToken.None);
        var open = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var topic = new FakeTopic { Sending = _ => open.Task };
        await using var relay = await TestRelay.StartAsync(store, topic, new OutboxOptions(), time);
        await Waiting.UntilAsync(() => topic.MostAtOnce == 40, "one message of each key is on its way");
        open.SetResult();
        await Waiting.UntilAsync(() => memory.Dispatched.Count == 50, "all are marked");
        await relay.Relay.StopAsync(TimeSpan.FromMinutes(1));

        calls.Count(static name => name is nameof(IOutboxStore.ReadPendingAsync)).Should().Be(1, "there was nothing behind it, and nothing was reported");
        calls.Count(static name => name is nameof(IOutboxStore.MarkDispatchedAsync)).Should().Be(1);
    }

    // A store whose commands are counted from its second message on.
    private async Task<(IMongoClient Client, MongoOutboxStore Store)> StartAsync(TestDatabase database)
    {
        var client = TestDatabase.Client(database.Uri, settings =>
        {
            settings.ApplicationName = $"counting-{database.Name}";
            settings.ClusterConfigurator = cluster => cluster.Subscribe<CommandStartedEvent>(started =>
            {
                _commands.AddOrUpdate(started.CommandName, 1, static (_, count) => count + 1);
                _concern = started.CommandName is "findAndModify" ? started.Command["writeConcern"]["w"].ToString() : _concern;
            });
        });
        await database.Database.CreateCollectionAsync("orders");
        var store = await database.StartStoreAsync(through: client.GetDatabase(database.Name));
        await store.EnqueueAsync(null, OutboxMessages.Create());
        _commands.Clear();
        return (client, store);
    }
}
