using ClientToClient;
using ClientToClient.Storage;
using MongoDB.Bson;
using MongoDB.Driver;

namespace Narad.Samples.Tests.ClientToClient;

/// <summary>A database of its own on the server that NARAD_TEST_MONGODB, or NARAD_TEST_MONGODB_REPLICA_SET, names; deleted at the end.</summary>
internal sealed class TestMongo : IDisposable
{
    private readonly MongoClient _client;
    private readonly string _name = $"message-db-{Guid.NewGuid():N}";

    public TestMongo(bool replicaSet = false)
    {
        var variable = replicaSet ? "NARAD_TEST_MONGODB_REPLICA_SET" : "NARAD_TEST_MONGODB";
        var server = Environment.GetEnvironmentVariable(variable);
        Skip.If(string.IsNullOrEmpty(server), $"{variable} names no MongoDB server.");
        var uri = new MongoUrlBuilder(server) { DatabaseName = _name };
        Uri = uri.ToString();
        _client = new MongoClient(Uri);
    }

    public string Uri { get; }

    public IMongoCollection<BsonDocument> Collection => _client.GetDatabase(_name).GetCollection<BsonDocument>("messages");

    public IReadOnlyCollection<SavedMessage> Read() => Collection.Find(FilterDefinition<BsonDocument>.Empty).ToList().ConvertAll(entry => new SavedMessage(
        entry["messageId"].AsString,
        entry["savedBy"].AsString,
        new ClientMessage(entry["from"].AsString, entry["to"].AsString, entry["message"].AsString, entry["timestamp"].ToUniversalTime())));

    public void Dispose()
    {
        _client.DropDatabase(_name);
        _client.Dispose();
    }
}
