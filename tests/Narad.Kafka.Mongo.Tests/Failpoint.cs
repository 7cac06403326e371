using MongoDB.Bson;
using MongoDB.Driver;

namespace Narad.Kafka.Mongo.Tests;

/// <summary>Makes a command fail for the clients of one application name. A server has one failpoint of that kind, so tests take turns; disposing it switches
/// it off.</summary>
internal sealed class Failpoint : IAsyncDisposable
{
    private static readonly SemaphoreSlim Turn = new(1, 1);

    private readonly IMongoDatabase _admin;

    private Failpoint(IMongoDatabase admin) => _admin = admin;

    /// <param name="client">Any client of the server.</param>
    /// <param name="applicationName">Whose commands fail.</param>
    /// <param name="command">Which.</param>
    /// <param name="code">The server's error; 0: it closes the connection.</param>
    /// <param name="times">How often.</param>
    /// <param name="labels">Of the error.</param>
    public static async Task<Failpoint> SetAsync(IMongoClient client, string applicationName, string command, int code, int times, params string[] labels)
    {
        await Turn.WaitAsync();
        try
        {
            var data = new BsonDocument { { "failCommands", new BsonArray { command } }, { "appName", applicationName } };
            data.AddRange(code == 0 ? new BsonDocument("closeConnection", true)
                : new BsonDocument { { "errorCode", code }, { "errorLabels", new BsonArray(labels) } });
            var failpoint = new Failpoint(client.GetDatabase("admin"));
            await failpoint._admin.RunCommandAsync<BsonDocument>(
                new BsonDocument { { "configureFailPoint", "failCommand" }, { "mode", new BsonDocument("times", times) }, { "data", data } });
            return failpoint;
        }
        catch
        {
            Turn.Release();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        try
        {
            await _admin.RunCommandAsync<BsonDocument>(new BsonDocument { { "configureFailPoint", "failCommand" }, { "mode", "off" } });
        }
        finally
        {
            Turn.Release();
        }
    }
}
