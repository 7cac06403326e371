using MongoDB.Bson;
using MongoDB.Driver;
using MongoDB.Driver.Core.Events;

namespace Narad.Kafka.Mongo.Tests;

/// <summary>A change of a row that comes between the two steps of another one.</summary>
[Trait("Promise", "S37")]
public sealed class MongoOutboxRaceTests
{
    [SkippableTheory]
    [InlineData(TestDatabase.Standalone)]
    [InlineData(TestDatabase.ReplicaSet)]
    public async Task A_relay_that_lost_its_bucket_changes_nothing_even_where_it_does_not_know_yet(string server)
    {
        await using var database = TestDatabase.On(server);
        var (first, second) = (await database.StartStoreAsync(), await database.StartStoreAsync());
        await first.EnqueueAsync(null, OutboxMessages.Create(1), OutboxMessages.Create(2));
        var lost = await first.AcquireAsync("r-1");
        var rows = await first.ReadAsync(lost);
        await first.ReleaseAsync(lost, CancellationToken.None);
        var lease = await second.AcquireAsync("r-2");
        (await second.ReadAsync(lease)).Should().HaveCount(2);

        await ShouldChangeNothingAsync(database, first, lost, rows);

        await SetLeaseAsync(database, lease);
        (await second.MarkDispatchedAsync(lease, rows, CancellationToken.None)).Should().Be(2);
    }

    [SkippableTheory]
    [InlineData(TestDatabase.Standalone)]
    [InlineData(TestDatabase.ReplicaSet)]
    public async Task A_relay_that_lost_its_bucket_does_not_change_what_an_operator_made_pending_again(string server)
    {
        await using var database = TestDatabase.On(server);
        var (first, second) = (await database.StartStoreAsync(), await database.StartStoreAsync());
        await first.EnqueueAsync(null, OutboxMessages.Create(1));
        var lost = await first.AcquireAsync("r-1");
        var rows = await first.ReadAsync(lost);
        await first.ReleaseAsync(lost, CancellationToken.None);
        var lease = await second.AcquireAsync("r-2");
        (await second.SetAsideAsync(lease, (await second.ReadAsync(lease)).Single(), "no", holdsKey: true, CancellationToken.None)).Should().BeTrue();
        (await second.RetryAsync([rows[0].Message.Id], CancellationToken.None)).Should().Be(1);

        await ShouldChangeNothingAsync(database, first, lost, rows);

        await SetLeaseAsync(database, lease);
        var retried = await second.ReadAsync(lease);
        retried.Should().ContainSingle().Which.Attempts.Should().Be(0);
        (await second.MarkDispatchedAsync(lease, retried, CancellationToken.None)).Should().Be(1);
    }

    [SkippableTheory]
    [InlineData(TestDatabase.Standalone)]
    [InlineData(TestDatabase.ReplicaSet)]
    public async Task A_read_beside_the_setting_aside_of_a_message_does_not_let_its_key_go_on_afterwards(string server)
    {
        await using var database = TestDatabase.On(server);
        var begun = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var mayArrive = new ManualResetEventSlim();
        var client = TestDatabase.Client(database.Uri, settings => settings.ClusterConfigurator = cluster => cluster.Subscribe<CommandStartedEvent>(started =>
        {
            if (started.CommandName is "update" && started.Command.ToJson().Contains("setAside", StringComparison.Ordinal))
            {
                begun.TrySetResult();
                mayArrive.Wait(TimeSpan.FromMinutes(2));
            }
        }));
        var store = await database.StartStoreAsync(through: client.GetDatabase(database.Name));
        var lease = await store.AcquireAsync();
        await store.EnqueueAsync(null, OutboxMessages.Create(1), OutboxMessages.Create(2));
        var poison = (await store.ReadAsync(lease))[0];

        var settingAside = Task.Run(() => store.SetAsideAsync(lease, poison, "no", holdsKey: true, CancellationToken.None));
        await begun.Task.WaitAsync(TimeSpan.FromMinutes(2));
        (await store.ReadAsync(lease)).Should().HaveCount(2, "the update is on its way to the server");
        mayArrive.Set();
        (await settingAside).Should().BeTrue();

        (await store.ReadAsync(lease)).Should().BeEmpty("the second message of the key waits");
        (await store.DiscardAsync([poison.Message.Id], CancellationToken.None)).Should().Be(1);
        (await store.ReadAsync(lease)).Select(OutboxMessages.NumberOf).Should().Equal(2);
    }

    // As if the lease had gone between the check and the change.
    private static async Task ShouldChangeNothingAsync(TestDatabase database, MongoOutboxStore store, OutboxLease lost, IReadOnlyList<OutboxRow> rows)
    {
        await SetLeaseAsync(database, lost);
        (await store.MarkDispatchedAsync(lost, rows, CancellationToken.None)).Should().Be(0);
        foreach (var row in rows)
        {
            (await store.SetAsideAsync(lost, row, "no", holdsKey: true, CancellationToken.None)).Should().BeFalse();
            (await store.RecordRefusalAsync(lost, row, "no", CancellationToken.None)).Should().BeFalse();
        }
    }

    private static Task SetLeaseAsync(TestDatabase database, OutboxLease lease) => database.Collection(OutboxMessages.State).UpdateOneAsync(
        new BsonDocument("_id", lease.Bucket), new BsonDocument("$set", new BsonDocument { { "relay", lease.Relay }, { "fence", lease.Fence } }));
}
