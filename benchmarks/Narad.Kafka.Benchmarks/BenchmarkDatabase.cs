using System.Collections.Concurrent;
using Microsoft.Extensions.DependencyInjection;
using MongoDB.Bson;
using MongoDB.Driver;
using MongoDB.Driver.Core.Events;
using Narad.Kafka.Mongo;

namespace Narad.Kafka.Benchmarks;

/// <summary>A database of this run's own on a MongoDB server; dropped at the end.</summary>
internal sealed class BenchmarkDatabase(string uri, string name) : IAsyncDisposable
{
    private int _collections;

    public IMongoDatabase Database { get; } = new MongoClient(uri).GetDatabase(name);

    /// <summary>The same database through a client of its own.</summary>
    public IMongoDatabase Connect(Action<MongoClientSettings> configure)
    {
        var settings = MongoClientSettings.FromConnectionString(uri);
        configure(settings);
        return new MongoClient(settings).GetDatabase(name);
    }

    /// <summary>The same database through a client that counts its commands by name.</summary>
    public IMongoDatabase ConnectCounting(ConcurrentDictionary<string, int> commands) => Connect(settings => settings.ClusterConfigurator = cluster =>
        cluster.Subscribe<CommandStartedEvent>(started => commands.AddOrUpdate(started.CommandName, 1, static (_, count) => count + 1)));

    public IMongoCollection<BsonDocument> NewCollection()
    {
        var collection = $"inserts-{Interlocked.Increment(ref _collections)}";
        Database.CreateCollection(collection);
        return Database.GetCollection<BsonDocument>(collection).WithWriteConcern(WriteConcern.WMajority);
    }

    /// <summary>A service with this database, for its stores only; in console mode.</summary>
    public ServiceProvider Services(Action<MongoOptions> configure, IMongoDatabase? through = null) => new ServiceCollection().AddLogging()
        .AddNaradKafka(options => options.Mode = KafkaMode.Console)
        .AddMongo(through ?? Database, configure).Services.BuildServiceProvider();

    public async Task<bool> HasTransactionsAsync() => (await Database.RunCommandAsync<BsonDocument>(new BsonDocument("hello", 1))).Contains("setName");

    public async ValueTask DisposeAsync() => await Database.Client.DropDatabaseAsync(name);
}
