namespace Narad.Kafka.Mongo.Tests;

/// <summary>The outbox of a server, as every outbox.</summary>
public abstract class MongoOutboxContractTests(string server, OutboxGuarantee guarantee) : OutboxContract
{
    private TestDatabase? _database;

    private protected override string Server => server;

    public override async Task InitializeAsync()
    {
        if (Environment.GetEnvironmentVariable(server) is not { Length: > 0 })
        {
            return;   // each test skips
        }

        _database = TestDatabase.On(server);
        Store = new MongoOutboxStore(_database.Connect(), TimeProvider.System);
        (await Store.StartAsync(TimeSpan.FromDays(1), CancellationToken.None)).Should().Be(guarantee);
    }

    public override async Task DisposeAsync()
    {
        if (_database is not null)
        {
            await _database.DisposeAsync();
        }
    }

    private protected override IOutboxStore OtherStore()
    {
        var database = TestDatabase.Client(_database!.Uri, static settings => settings.ApplicationName = "other").GetDatabase(_database.Name);
        return new MongoOutboxStore(_database.Connect(database: database), TimeProvider.System);
    }
}

public sealed class StandaloneOutboxTests() : MongoOutboxContractTests(TestDatabase.Standalone, OutboxGuarantee.AtLeastOnce);

public sealed class ReplicaSetOutboxTests() : MongoOutboxContractTests(TestDatabase.ReplicaSet, OutboxGuarantee.Transactional);
