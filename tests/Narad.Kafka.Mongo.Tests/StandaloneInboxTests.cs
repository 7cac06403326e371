using MongoDB.Bson;
using MongoDB.Driver;
using Narad.Kafka.Mongo;

namespace Narad.Kafka.Mongo.Tests;

/// <summary>The inbox without transactions.</summary>
[Trait("Promise", "S36")]
public sealed class StandaloneInboxTests : InboxContract
{
    private TestDatabase? _database;

    private protected override string Server => TestDatabase.Standalone;

    public override async Task InitializeAsync()
    {
        if (Environment.GetEnvironmentVariable(TestDatabase.Standalone) is not { Length: > 0 })
        {
            return;   // each test skips
        }

        _database = TestDatabase.On(TestDatabase.Standalone);
        Inbox = new MongoInbox(_database.Connect(), TimeProvider.System);
        (await StartAsync()).Should().Be(InboxGuarantee.AtLeastOnce);
    }

    public override async Task DisposeAsync()
    {
        if (_database is not null)
        {
            await _database.DisposeAsync();
        }
    }

    [SkippableFact]
    public async Task The_message_of_a_dead_process_is_handled_when_its_claim_has_expired()
    {
        await using var database = TestDatabase.On(TestDatabase.Standalone);
        using var dying = new CancellationTokenSource();
        var dead = new MongoInbox(database.Connect(static options => options.ClaimDuration = TimeSpan.FromSeconds(1)), TimeProvider.System);
        await dead.StartAsync(new InboxSubscription("orders", "g", null, Retention), CancellationToken.None);

        // It claims, and never returns: as good as dead, but for its renewals, so its row is taken from it here.
        var claimed = new TaskCompletionSource();
        var hanging = dead.HandleAsync(Message(), async (_, _) =>
        {
            claimed.SetResult();
            await Task.Delay(Timeout.Infinite, dying.Token);
        }, CancellationToken.None);
        await claimed.Task;
        await database.Collection("kafka_inbox").UpdateOneAsync(Builders<BsonDocument>.Filter.Empty,
            new BsonDocument("$set", new BsonDocument("owner", "dead")));

        Inbox = new MongoInbox(database.Connect(), TimeProvider.System);
        await StartAsync();
        var calls = 0;
        (await UntilDoneAsync(Message(), (_, _) =>
        {
            calls++;
            return Task.CompletedTask;
        })).Kind.Should().Be(InboxResultKind.Handled);
        calls.Should().Be(1);
        await dying.CancelAsync();
        await ((Func<Task>)(() => hanging)).Should().ThrowAsync<OperationCanceledException>();
        (await Inbox.HandleAsync(Message(), static (_, _) => Task.CompletedTask, CancellationToken.None)).Kind.Should()
            .Be(InboxResultKind.AlreadyHandled, "the late one removed nothing");
    }

    [SkippableFact]
    public async Task Transactions_that_are_required_and_not_there_refuse_the_start()
    {
        await using var database = TestDatabase.On(TestDatabase.Standalone);
        var inbox = new MongoInbox(database.Connect(static options => options.UseTransactions = true), TimeProvider.System);

        var starting = () => inbox.StartAsync(new InboxSubscription("orders", "g", null, Retention), CancellationToken.None);

        (await starting.Should().ThrowAsync<KafkaConfigurationException>()).WithMessage("*UseTransactions*standalone*replica set*");
    }
}
