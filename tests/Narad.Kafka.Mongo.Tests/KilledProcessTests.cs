using System.Diagnostics;
using System.Globalization;
using MongoDB.Bson;
using MongoDB.Driver;
using Narad.Kafka.Shared;
using Narad.Kafka.Testing;

namespace Narad.Kafka.Mongo.Tests;

/// <summary>Processes that die at any point between claim, handler and commit.</summary>
public sealed class KilledProcessTests(EmbeddedKafka kafka) : IClassFixture<EmbeddedKafka>
{
    private const int Kills = 50;
    private const int StoreKills = 4;

    /// <summary>Names that this is wanted: it takes two minutes, because the server holds what a dead process had begun for 60 s.</summary>

    [SkippableFact]
    [Trait("Promise", "S36")]
    public async Task Fifty_killed_processes_leave_each_effect_exactly_once()
    {
        Skip.If(string.IsNullOrEmpty(Environment.GetEnvironmentVariable(ServerControl.Kills)),
            $"{ServerControl.Kills} is not set: killing fifty processes takes two minutes.");
        await using var database = TestDatabase.On(TestDatabase.ReplicaSet);
        await database.Database.CreateCollectionAsync("effects");
        var inbox = await Program.StartAsync(database.Database);
        var effects = database.Collection("effects");

        // The next one starts while the last one works.
        var next = StartAsync("inbox", database.Uri, database.Name);
        var highest = 0L;
        for (var kill = 0; kill < Kills; kill++)
        {
            using var child = await next;
            next = kill + 1 < Kills ? StartAsync("inbox", database.Uri, database.Name) : next;
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
        numbers.Order().Should().Equal(Enumerable.Range(0, last + 2));
        highest.Should().BeGreaterThanOrEqualTo(Kills);
    }

    [SkippableFact]
    [Long]
    [Trait("Promise", "S35")]
    public async Task Processes_that_are_killed_while_they_store_lose_and_double_nothing()
    {
        await using var database = TestDatabase.On(TestDatabase.ReplicaSet);
        var (topic, group) = (kafka.CreateTopic(partitions: 3), kafka.NewName("g"));
        var events = database.Collection("events");
        Task<long> CountAsync() => events.CountDocumentsAsync(FilterDefinition<BsonDocument>.Empty);
        await using var service = new KafkaService(kafka.CreateOptions());
        await service.ConnectProducerAsync();
        using var sending = new CancellationTokenSource();
        var sent = Task.Run(async () =>
        {
            var number = 0;
            for (; !sending.IsCancellationRequested && number < 20_000; number++)
            {
                await service.SendAsync(topic, new Program.Event($"{number}", number), $"k-{number % 50}");
                await Task.Delay(10);
            }

            return number;
        });

        for (var kill = 0; kill < StoreKills; kill++)
        {
            using var child = await StartAsync("store", database.Uri, database.Name, kafka.BootstrapServers, topic, group);
            var before = await CountAsync();
            await Waiting.UntilAsync(async () => await CountAsync() > before + 50, "the process stores");
            await Task.Delay(Random.Shared.Next(100));   // at any point of a batch
            child.Kill();
            await child.WaitForExitAsync();
        }

        await sending.CancelAsync();
        using var last = await StartAsync("store", database.Uri, database.Name, kafka.BootstrapServers, topic, group);
        await Waiting.UntilAsync(async () => await CountAsync() >= await sent, $"all {await sent} were stored");
        last.StandardInput.Close();
        await last.WaitForExitAsync();
        last.ExitCode.Should().Be(EndWithParent.ExitCode, "it ends with the process that started it");

        var numbers = (await events.Find(FilterDefinition<BsonDocument>.Empty).ToListAsync())
            .ConvertAll(static document => document["message"]["number"].AsInt32);
        numbers.Order().Should().Equal(Enumerable.Range(0, await sent));
    }

    internal static async Task<Process> StartAsync(params string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet", [typeof(Program).Assembly.Location, .. arguments])
        {
            UseShellExecute = false, RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true,
            Environment = { ["DOTNET_TieredPGO"] = "0" },
        };
        var child = Process.Start(start)!;
        var errors = child.StandardError.ReadToEndAsync();
        if (await child.StandardOutput.ReadLineAsync() != "ready")
        {
            throw new InvalidOperationException($"The process ended at its start. It said: {await errors}");
        }

        return child;
    }
}
