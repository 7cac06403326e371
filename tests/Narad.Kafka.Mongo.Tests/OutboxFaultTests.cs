using System.Diagnostics;
using System.Globalization;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using MongoDB.Bson;
using MongoDB.Driver;
using Narad.Kafka.Shared;
using Narad.Kafka.Testing;

namespace Narad.Kafka.Mongo.Tests;

/// <summary>An application that writes while relays, the database or the broker fail; a verifier reads the topic. What takes minutes runs only where
/// <c>NARAD_TEST_KILLS</c> is set.</summary>
[Trait("Promise", "S37")]
public sealed class OutboxFaultTests(EmbeddedKafka kafka) : IClassFixture<EmbeddedKafka>
{
    [SkippableTheory]
    [InlineData(TestDatabase.Standalone)]
    [InlineData(TestDatabase.ReplicaSet)]
    public async Task What_a_killed_relay_sent_and_did_not_mark_comes_again_with_the_same_ids_in_order(string server)
    {
        await using var database = TestDatabase.On(server);
        await using var writers = await OutboxWriters.StartAsync(database, kafka);
        using var dying = await StartRelayAsync(database, marks: 1);
        await writers.EnqueueAsync(40);
        await Waiting.UntilAsync(() => dying.HasExited, "it dies after it sent and before it marks");
        (await database.CountAsync("dispatched")).Should().Be(0);

        using var next = OutboxWriters.CreateHost(database, kafka);
        await next.StartAsync();
        await writers.VerifyAsync();
        writers.Repeated.Should().BePositive("what was sent was not marked");
        await next.StopAsync();
    }

    [SkippableFact]
    public async Task Relays_whose_clocks_differ_by_two_minutes_share_the_work_while_one_leaves_and_one_joins_and_repeat_nothing()
    {
        await using var database = TestDatabase.On(TestDatabase.ReplicaSet);
        await using var writers = await OutboxWriters.StartAsync(database, kafka);
        using var behind = OutboxWriters.CreateHost(database, kafka, LongLease, new ShiftedTimeProvider(TimeSpan.FromMinutes(-1)));
        using var ahead = OutboxWriters.CreateHost(database, kafka, LongLease, new ShiftedTimeProvider(TimeSpan.FromMinutes(1)));
        await behind.StartAsync();
        await ahead.StartAsync();
        writers.Write(pause: TimeSpan.FromMilliseconds(50));
        async Task UntilEachHasHalfAsync()
        {
            var before = writers.Arrived;
            await Waiting.UntilAsync(async () => await SharesAsync(database) is [32, 32] && writers.Arrived > before + 30, "two share the buckets evenly");
        }

        await UntilEachHasHalfAsync();
        using var joining = OutboxWriters.CreateHost(database, kafka, LongLease);
        await Task.WhenAll(behind.StopAsync(), joining.StartAsync());
        await UntilEachHasHalfAsync();
        await writers.VerifyAsync();
        writers.Repeated.Should().Be(0);
        await ahead.StopAsync();
        await joining.StopAsync();
    }

    [SkippableTheory]
    [InlineData(TestDatabase.Standalone)]
    [InlineData(TestDatabase.ReplicaSet)]
    public async Task Messages_that_are_pending_at_the_start_go_out_once_in_order(string server)
    {
        await using var database = TestDatabase.On(server);
        await using var writers = await OutboxWriters.StartAsync(database, kafka, keys: 30);
        await writers.EnqueueAsync(300);
        using var relay = OutboxWriters.CreateHost(database, kafka, LongLease);
        await relay.StartAsync();
        await writers.VerifyAsync();
        writers.Repeated.Should().Be(0);
        await relay.StopAsync();
    }

    [SkippableTheory]
    [InlineData(1)]
    [InlineData(60)]
    public async Task What_was_stored_while_Kafka_was_down_goes_out_in_order_by_itself(int seconds)
    {
        SkipUnlessWanted(isLong: seconds > 1);
        await using var own = new EmbeddedKafka();
        await using var database = TestDatabase.On(TestDatabase.ReplicaSet);
        await using var writers = await OutboxWriters.StartAsync(database, own);
        using var relay = OutboxWriters.CreateHost(database, own);
        await relay.StartAsync();
        writers.Write(pause: TimeSpan.FromMilliseconds(20));
        await Waiting.UntilAsync(() => writers.Arrived > 20, "messages arrive");
        own.StopBrokers();
        var before = writers.Committed;
        var watch = Stopwatch.StartNew();
        await Waiting.UntilAsync(() => writers.Committed > before + 30 && watch.Elapsed > TimeSpan.FromSeconds(seconds), "messages pile up");
        (await database.CountAsync("pending")).Should().BeGreaterThan(20);
        own.StartBrokers();

        await writers.VerifyAsync();
        await relay.StopAsync();
    }

    [SkippableTheory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(4)]
    [Long]
    public async Task Relays_that_are_killed_lose_nothing_and_keep_the_order_of_each_key(int relays)
    {
        SkipUnlessWanted(isLong: true);
        await using var database = TestDatabase.On(TestDatabase.ReplicaSet);
        await using var writers = await OutboxWriters.StartAsync(database, kafka);
        writers.Write(pause: TimeSpan.FromMilliseconds(20));
        var running = new List<Process>();
        try
        {
            for (var kill = 0; kill < 20; kill++)
            {
                // Every other one dies by itself, after it sent and before it marked.
                var marks = kill % 2 == 0 ? Random.Shared.Next(1, 10) : 0;
                while (running.Count < relays)
                {
                    running.Add(await StartRelayAsync(database, marks));
                }

                var before = writers.Arrived;
                await Waiting.UntilAsync(
                    () => writers.Arrived > before + 20 || running.Exists(static one => one.HasExited), "messages arrive, or a relay dies");
                var dying = running.Find(static one => one.HasExited) ?? running[Random.Shared.Next(running.Count)];
                dying.Kill();
                await dying.WaitForExitAsync();
                running.Remove(dying);
                dying.Dispose();
            }

            running.Add(await StartRelayAsync(database, marks: 0));
            await writers.VerifyAsync();
        }
        finally
        {
            foreach (var one in running)
            {
                one.Kill();
                await one.WaitForExitAsync();
                one.Dispose();
            }
        }
    }

    [SkippableFact]
    [NotInParallel("the server refuses everything for seconds")]
    [Trait("Category", "BreaksServers")]
    public async Task Step_downs_lose_nothing_and_keep_the_order_of_each_key()
    {
        SkipUnlessWanted(isLong: true);
        await using var database = TestDatabase.On(TestDatabase.ReplicaSet);
        await using var writers = await OutboxWriters.StartAsync(database, kafka);
        using var relay = OutboxWriters.CreateHost(database, kafka);
        await relay.StartAsync();
        writers.Write(pause: TimeSpan.FromMilliseconds(20));
        for (var i = 0; i < 10; i++)
        {
            var before = writers.Arrived;
            await Waiting.UntilAsync(() => writers.Arrived > before + 20, "messages arrive");
            try
            {
                await database.Database.Client.GetDatabase("admin")
                    .RunCommandAsync<BsonDocument>(new BsonDocument { { "replSetStepDown", 1 }, { "force", true } });
            }
            catch (Exception error) when (error is MongoException or TimeoutException)
            {
                // It answers by closing connections.
            }
        }

        await writers.VerifyAsync();
        await relay.StopAsync();
    }

    [SkippableFact]
    public async Task A_hundred_thousand_messages_that_are_pending_at_the_start_go_out_in_order()
    {
        SkipUnlessWanted(isLong: true);
        await using var database = TestDatabase.On(TestDatabase.ReplicaSet);
        await using var writers = await OutboxWriters.StartAsync(database, kafka, keys: 1_000);
        await writers.EnqueueAsync(100_000);
        var before = GC.GetTotalMemory(forceFullCollection: true);
        using var relay = OutboxWriters.CreateHost(database, kafka, static options => options.LeaseDuration = TimeSpan.FromMinutes(1));
        await relay.StartAsync();
        var most = 0L;
        var watch = Stopwatch.StartNew();
        while (writers.Arrived < 100_000)
        {
            most = Math.Max(most, GC.GetTotalMemory(forceFullCollection: true) - before);
            await Task.Delay(TimeSpan.FromSeconds(2));
            watch.Elapsed.Should().BeLessThan(TimeSpan.FromMinutes(10));
        }

        await writers.VerifyAsync();
        await relay.StopAsync();
        writers.Repeated.Should().Be(0);
        most.Should().BeLessThan(100L << 20, "the relay reads what it may have in memory, and no more");
    }

    // A lease that a busy machine loses means that what is not marked is sent again.
    private static void LongLease(OutboxOptions options) => options.LeaseDuration = TimeSpan.FromSeconds(20);

    private static void SkipUnlessWanted(bool isLong) => Skip.If(
        isLong && string.IsNullOrEmpty(Environment.GetEnvironmentVariable(ServerControl.Kills)), $"{ServerControl.Kills} is not set: this takes minutes.");

    // How many buckets each relay holds.
    private static async Task<List<int>> SharesAsync(TestDatabase database)
    {
        var leases = await database.Collection(OutboxMessages.State).Find(new BsonDocument("relay", new BsonDocument("$exists", true))).ToListAsync();
        return [.. leases.GroupBy(static lease => lease["relay"].AsString, StringComparer.Ordinal).Select(static share => share.Count())];
    }

    private Task<Process> StartRelayAsync(TestDatabase database, int marks) =>
        KilledProcessTests.StartAsync("relay", database.Uri, database.Name, kafka.BootstrapServers, marks.ToString(CultureInfo.InvariantCulture));

    private sealed class ShiftedTimeProvider(TimeSpan by) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + by;
    }
}
