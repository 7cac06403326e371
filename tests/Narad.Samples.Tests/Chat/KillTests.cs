using System.Diagnostics;
using Chat.Contract;
using MongoDB.Bson;
using MongoDB.Driver;
using Narad.Kafka.Shared;
using Narad.Samples.Tests.ClientToClient;
using Narad.Samples.Tests.SharedParts;

namespace Narad.Samples.Tests.Chat;

/// <summary>
/// Instances and consumer as processes, killed and started again while clients send all the time: in the end every client shows the same list.
/// </summary>
public sealed class KillTests
{
    private const string OnDemand = "NARAD_TEST_KILLS";

    [Fact]
    public async Task Every_client_ends_with_the_same_list_and_its_users_are_offline_when_an_instance_is_killed()
    {
        await using var run = new ChatRun();
        await run.StartAsync(clients: 6);
        await using var watching = await ChatUser.ConnectAsync(run.UrlOf(0), "Watching");
        await watching.JoinAsync("presence");
        await using var leaving = await ChatUser.ConnectAsync(run.UrlOf(1), "Leaving");
        await leaving.JoinAsync("presence");
        var sending = run.SendAsync(messages: 300);

        await run.ShownAsync(60);
        await run.Servers[1].KillAsync();
        await watching.UntilAsync<PresenceEvent>(static presence => presence is { UserId: "leaving", Online: false }, "its users are offline");
        await sending;

        await run.FinishAsync(300);
    }

    [SkippableTheory]
    [InlineData(false)]
    [InlineData(true)]
    [NotInParallel("It kills servers that other tests use.")]
    [Trait("Category", "BreaksServers")]
    public async Task Every_client_ends_with_the_same_list_whatever_is_killed(bool onKafka)
    {
        Skip.If(string.IsNullOrEmpty(Environment.GetEnvironmentVariable(OnDemand)), $"{OnDemand} is not set.");
        var control = Environment.GetEnvironmentVariable("NARAD_TEST_KAFKA_BROKER");
        Skip.If(onKafka && string.IsNullOrEmpty(control), "NARAD_TEST_KAFKA_BROKER names no command.");
        using var mongo = new TestMongo();
        var uri = new MongoUrlBuilder(mongo.Uri);
        await using var database = new TcpProxy(uri.Server.Host, uri.Server.Port);
        (uri.Server, uri.DirectConnection) = (new MongoServerAddress("127.0.0.1", database.Port), true);
        await using var redis = await RedisServer.StartNewAsync();
        await using var run = new ChatRun(
            onKafka ? Environment.GetEnvironmentVariable("NARAD_TEST_KAFKA") : null, $"--MONGODB_URI={uri}", $"--REDIS_URL={redis.Url}");
        await run.StartAsync(clients: 20, withConsumer: true);
        var sending = run.SendAsync(messages: 2_000);

        await run.ShownAsync(200);
        await run.Servers[1].KillAsync();
        await run.ShownAsync(400);
        await run.StartServerAsync(1);

        await run.Consumer.KillAsync();
        await run.ShownAsync(700);
        await run.Consumer.StartAsync();

        database.Cut();
        await run.ShownAsync(900);
        database.Restore();

        await redis.KillAsync();
        await run.ShownAsync(1_100);
        await redis.StartAsync();

        await BrokerAsync("kill");
        await run.Servers[0].KillAsync();
        await BrokerAsync("start");
        await run.StartServerAsync(0);
        await run.ShownAsync(1_500);
        await run.Servers[1].KillAsync();
        await run.Consumer.KillAsync();
        await run.Consumer.StartAsync();
        await run.StartServerAsync(1);
        await sending;

        await run.FinishAsync(2_000);
        await ChatUser.UntilAsync(
            async () => await mongo.Collection.CountDocumentsAsync(FilterDefinition<BsonDocument>.Empty) >= 2_000, "all are stored");
        var stored = mongo.Collection.Find(FilterDefinition<BsonDocument>.Empty).ToList();
        stored.OrderBy(static message => message["sequence"].ToInt64()).Select(static message => message["text"].AsString)
            .Should().Equal(run.Clients[0].Shown(), "the database has the same list");

        async Task BrokerAsync(string action)
        {
            if (onKafka)
            {
                using var process = Process.Start(control!, [action, "1"]);
                await process.WaitForExitAsync();
                process.ExitCode.Should().Be(0);
            }
            else if (action == "kill")
            {
                run.Broker.StopBroker();
            }
            else
            {
                run.Broker.StartBroker();
            }
        }
    }
}
