using Microsoft.Extensions.Logging.Abstractions;
using MongoDB.Bson;
using MongoDB.Driver;
using Narad.Kafka.Mongo;

namespace Narad.Kafka.Mongo.Tests;

/// <summary>A database with a name of its own on one of the servers that the environment names; dropped at the end.</summary>
internal sealed class TestDatabase : IAsyncDisposable
{
    public const string Standalone = "NARAD_TEST_MONGODB";
    public const string ReplicaSet = "NARAD_TEST_MONGODB_REPLICA_SET";

    private TestDatabase(string uri, Action<MongoClientSettings>? configure)
    {
        Uri = uri;
        Database = Client(uri, configure).GetDatabase(Name);
    }

    public string Uri { get; }

    public string Name { get; } = $"narad-test-{Guid.CreateVersion7():n}";

    public IMongoDatabase Database { get; }

    /// <summary>Skips the test where the variable names no server.</summary>
    public static TestDatabase On(string variable, Action<MongoClientSettings>? configure = null) => new(UriOf(variable), configure);

    public static string UriOf(string variable)
    {
        var uri = Environment.GetEnvironmentVariable(variable);
        Skip.If(string.IsNullOrEmpty(uri), $"{variable} names no MongoDB server (mongodb://host:port).");
        return uri!;
    }

    public static MongoClient Client(string uri, Action<MongoClientSettings>? configure = null)
    {
        var settings = MongoClientSettings.FromConnectionString(uri);
        settings.ServerSelectionTimeout = TimeSpan.FromSeconds(10);
        configure?.Invoke(settings);
        return new MongoClient(settings);
    }

    public MongoConnection Connect(Action<MongoOptions>? configure = null, IMongoDatabase? database = null)
    {
        var options = new MongoOptions();
        configure?.Invoke(options);
        return new MongoConnection(() => database ?? Database, options, NullLogger<MongoConnection>.Instance);
    }

    public IMongoCollection<BsonDocument> Collection(string name) => Database.GetCollection<BsonDocument>(name);

    public async ValueTask DisposeAsync()
    {
        try
        {
            await Database.Client.DropDatabaseAsync(Name);
        }
        catch (Exception error) when (error is MongoException or TimeoutException)
        {
            // A test made the server fail; its connections may be stale still.
        }
    }
}
