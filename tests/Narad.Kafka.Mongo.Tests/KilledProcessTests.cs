using System.Diagnostics;
using System.Globalization;
using MongoDB.Bson;
using MongoDB.Driver;

namespace Narad.Kafka.Mongo.Tests;

/// <summary>Processes that die at any point between claim, handler and commit.</summary>
public sealed class KilledProcessTests
{
    private const int Kills = 50;

    /// <summary>Names that this is wanted: it takes two minutes, because the server holds what a dead process had begun for 60 s.</summary>
    private const string Variable = "NARAD_TEST_KILLS";

    [SkippableFact]
    [Trait("Promise", "S36")]
    public async Task Fifty_killed_processes_leave_each_effect_exactly_once()
    {
        Skip.If(string.IsNullOrEmpty(Environment.GetEnvironmentVariable(Variable)), $"{Variable} is not set: killing fifty processes takes two minutes.");
        await using var database = TestDatabase.On(TestDatabase.ReplicaSet);
        await database.Database.CreateCollectionAsync("effects");
        var inbox = await Program.StartAsync(database.Database);
        var effects = database.Collection("effects");

        // The next one starts while the last one works.
        var next = StartAsync(database);
        var highest = 0L;
        for (var kill = 0; kill < Kills; kill++)
        {
            using var child = await next;
            next = kill + 1 < Kills ? StartAsync(database) : next;
            var before = await effects.CountDocumentsAsync(FilterDefinition<BsonDocument>.Empty);

            // Others than the one in hand: the server holds that until it aborts the dead process's transaction, 60 s after it began.
            await child.StandardInput.WriteLineAsync((before + 1 + kill).ToString(CultureInfo.InvariantCulture));
            await child.StandardInput.FlushAsync();
            await Waiting.UntilAsync(
                async () => (highest = await effects.CountDocumentsAsync(FilterDefinition<BsonDocument>.Empty)) > before, "the process handled a message");
            await Task.Delay(Random.Shared.Next(20));   // at any point of a message
            child.Kill();
            await child.WaitForExitAsync();
        }

        // What was in hand is delivered again.
        var last = (await effects.Find(FilterDefinition<BsonDocument>.Empty).ToListAsync()).Max(static effect => effect["number"].AsInt32);
        for (var number = 0; number <= last + 1; number++)
        {
            await Program.HandleAsync(inbox, database.Database, number);
        }

        var numbers = (await effects.Find(FilterDefinition<BsonDocument>.Empty).ToListAsync()).ConvertAll(static effect => effect["number"].AsInt32);
        numbers.Should().OnlyHaveUniqueItems().And.BeEquivalentTo(Enumerable.Range(0, last + 2));
        highest.Should().BeGreaterThanOrEqualTo(Kills);
    }

    private static async Task<Process> StartAsync(TestDatabase database)
    {
        var start = new ProcessStartInfo("dotnet", [typeof(Program).Assembly.Location, database.Uri, database.Name])
        {
            UseShellExecute = false, RedirectStandardInput = true, RedirectStandardOutput = true, Environment = { ["DOTNET_TieredPGO"] = "0" },
        };
        var child = Process.Start(start)!;
        (await child.StandardOutput.ReadLineAsync()).Should().Be("ready");
        return child;
    }
}
