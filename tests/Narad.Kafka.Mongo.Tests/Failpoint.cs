using MongoDB.Bson;
using MongoDB.Driver;

namespace Narad.Kafka.Mongo.Tests;

/// <summary>Makes a command fail for the clients of one application name. A server has one failpoint of that kind, so tests take turns; disposing it switches
/// it off.</summary>
internal sealed class Failpoint : IAsyncDisposable
{
    private static readonly SemaphoreSlim Turn = new(1, 1);

    private readonly IMongoDatabase _admin;

    private Failpoint(IMongoClient client) => _admin = client.GetDatabase("admin");

    /// <param name="client">Any client of the server.</param>
    /// <param name="applicationName">Whose commands fail.</param>
    /// <param name="command">Which.</param>
    /// <param name="code">The server's error; 0: it closes the connection.</param>
    /// <param name="times">How often.</param>
    /// <param name="labels">Of the error.</param>
    public static async Task<Failpoint> SetAsync(IMongoClient client, string applicationName, string command, int code, int times, params string[] labels)
    {
        var failpoint = await TakeTurnAsync(client);
        try
        {
            await failpoint._admin.RunCommandAsync<BsonDocument>(Command(applicationName, command, code, times, labels));
            return failpoint;
        }
        catch
        {
            Turn.Release();
            throw;
        }
    }

    /// <summary>Waits for the turn; no command fails yet.</summary>
    public static async Task<Failpoint> TakeTurnAsync(IMongoClient client)
    {
        await Turn.WaitAsync();
        return new Failpoint(client);
    }

    /// <summary>Makes the next such command fail, with the labels that the server gives its errors by itself.</summary>
    public void SetNext(string applicationName, string command, int code) =>
        _admin.RunCommand<BsonDocument>(Command(applicationName, command, code, times: 1, labels: null));

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

    private static BsonDocument Command(string applicationName, string command, int code, int times, string[]? labels)
    {
        var data = new BsonDocument { { "failCommands", new BsonArray { command } }, { "appName", applicationName } };
        if (code == 0)
        {
            data.Add("closeConnection", true);
        }
        else
        {
            data.Add("errorCode", code);
            data.Add("errorLabels", () => new BsonArray(labels), labels is not null);
        }

        return new BsonDocument { { "configureFailPoint", "failCommand" }, { "mode", new BsonDocument("times", times) }, { "data", data } };
    }
}
