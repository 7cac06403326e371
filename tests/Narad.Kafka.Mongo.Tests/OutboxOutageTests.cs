using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using MongoDB.Driver;
using Narad.Kafka.Shared;
using Narad.Kafka.Testing;

namespace Narad.Kafka.Mongo.Tests;

/// <summary>MongoDB goes away under a relay, while others still reach it, and comes back.</summary>
[Trait("Promise", "S37")]
public sealed class OutboxOutageTests(EmbeddedKafka kafka) : IClassFixture<EmbeddedKafka>
{
    [SkippableTheory]
    [InlineData(TestDatabase.Standalone)]
    [InlineData(TestDatabase.ReplicaSet)]
    public async Task Without_the_database_health_says_so_enqueuing_throws_and_afterwards_everything_goes_out_once_in_order(string server)
    {
        await using var database = TestDatabase.On(server);
        await using var proxy = Proxy(database, out var uri);
        await using var writers = await OutboxWriters.StartAsync(database, kafka);
        using var host = OutboxWriters.CreateHost(database, kafka, static options => options.LeaseDuration = TimeSpan.FromSeconds(20), through: uri);
        await host.StartAsync();
        var outbox = host.Services.GetRequiredService<IOutbox>();
        await writers.EnqueueAsync(40);
        await Waiting.UntilAsync(async () => writers.Arrived == 40 && await database.CountAsync("pending") == 0, "the first ones were sent and marked");

        proxy.Cut();
        await UntilAsync(host, HealthStatus.Unhealthy);
        (await CheckAsync(host)).Description.Should().Contain("the outbox's store does not answer: MongoDB could not");
        await outbox.Invoking(one => one.EnqueueAsync(writers.Topic, "never", "k-0").AsTask()).Should().ThrowAsync<StoreUnavailableException>()
            .WithMessage("MongoDB could not *");
        await writers.EnqueueAsync(40);
        writers.Arrived.Should().Be(40, "nothing is sent without the database");

        proxy.Restore();
        await UntilAsync(host, HealthStatus.Healthy);
        await writers.EnqueueAsync(40, through: outbox);
        await Waiting.UntilAsync(() => writers.Arrived == 120, "what was stored meanwhile was sent");
        writers.Repeated.Should().Be(0);
        await writers.VerifyAsync();
        await host.StopAsync();
    }

    [SkippableTheory]
    [InlineData(TestDatabase.Standalone)]
    [InlineData(TestDatabase.ReplicaSet)]
    public async Task A_database_that_goes_away_while_messages_are_on_their_way_leaves_the_order_of_each_key(string server)
    {
        await using var database = TestDatabase.On(server);
        await using var proxy = Proxy(database, out var uri);
        await using var writers = await OutboxWriters.StartAsync(database, kafka);
        using var host = OutboxWriters.CreateHost(database, kafka, through: uri);
        await host.StartAsync();
        for (var cut = 0; cut < 3; cut++)
        {
            var before = writers.Arrived;
            await writers.EnqueueAsync(100);
            await Waiting.UntilAsync(() => writers.Arrived > before, "some were sent");
            proxy.Cut();
            await UntilAsync(host, HealthStatus.Unhealthy);
            proxy.Restore();
            await UntilAsync(host, HealthStatus.Healthy);
        }

        await writers.VerifyAsync();
        await host.StopAsync();
    }

    private static TcpProxy Proxy(TestDatabase database, out string uri)
    {
        var url = new MongoUrlBuilder(database.Uri);
        var proxy = new TcpProxy(url.Server.Host, url.Server.Port);
        (url.Server, url.DirectConnection, url.ReplicaSetName) = (new MongoServerAddress("127.0.0.1", proxy.Port), true, null);
        uri = url.ToString();
        return proxy;
    }

    private static async Task<HealthReportEntry> CheckAsync(IHost host) =>
        (await host.Services.GetRequiredService<HealthCheckService>().CheckHealthAsync()).Entries["kafka-outbox"];

    private static Task UntilAsync(IHost host, HealthStatus status) => Waiting.UntilAsync(
        async () => (await CheckAsync(host)).Status == status, $"health is {status}");
}
