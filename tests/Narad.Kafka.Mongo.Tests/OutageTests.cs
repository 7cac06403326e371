using System.Diagnostics;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using MongoDB.Driver;

namespace Narad.Kafka.Mongo.Tests;

/// <summary>Servers that are not there, or refuse: typed answers in a bounded time, and no secrets.</summary>
[Trait("Promise", "S36")]
public sealed class OutageTests
{
    private const string Secret = "s3cr3t-word";

    private static ServiceProvider Services(string uri, Action<MongoOptions>? configure = null, Dictionary<string, string?>? configuration = null)
    {
        var services = new ServiceCollection();
        services.AddSingleton<IConfiguration>(new ConfigurationBuilder().AddInMemoryCollection(configuration ?? []).Build());
        services.AddNaradKafka(static options => options.Mode = KafkaMode.Console).AddMongo(uri, options =>
        {
            options.ServerSelectionTimeout = TimeSpan.FromMilliseconds(200);
            options.OperationTimeout = TimeSpan.FromSeconds(20);
            configure?.Invoke(options);
        });
        services.AddHealthChecks().AddNaradKafkaMongo();
        return services.BuildServiceProvider();
    }

    [Theory]
    [InlineData("mongodb://user:s3cr3t-word@127.0.0.1:1/db")]
    [InlineData("mongodb://user:s3cr3t-word@127.0.0.1:1,127.0.0.1:2/db?replicaSet=rs0")]
    public async Task A_server_that_is_not_there_is_an_unavailable_store_within_a_bounded_time_without_secrets(string uri)
    {
        await using var services = Services(uri);
        var watch = Stopwatch.StartNew();

        var inbox = () => services.GetRequiredService<IInbox>().StartAsync(new InboxSubscription("t", "g", null, TimeSpan.FromDays(1)), CancellationToken.None);
        var store = () => services.GetRequiredService<IMessageStore>().StartAsync(new MessageStoreTarget("c"), CancellationToken.None);

        var errors = new[] { (await inbox.Should().ThrowAsync<StoreUnavailableException>()).Which,
            (await store.Should().ThrowAsync<StoreUnavailableException>()).Which };
        watch.Elapsed.Should().BeLessThan(TimeSpan.FromMinutes(2));
        errors.Should().OnlyContain(static error => error.Message.Contains("no server answered", StringComparison.Ordinal)
            && !error.ToString().Contains(Secret, StringComparison.Ordinal));
        var health = await services.GetRequiredService<Microsoft.Extensions.Diagnostics.HealthChecks.HealthCheckService>().CheckHealthAsync();
        health.Entries["mongodb"].Status.Should().Be(Microsoft.Extensions.Diagnostics.HealthChecks.HealthStatus.Unhealthy);
        health.Entries["mongodb"].Description.Should().Contain("no server answered").And.NotContain(Secret);
    }

    [Fact]
    public void A_connection_string_that_cannot_be_read_is_a_configuration_error_without_the_secret()
    {
        using var services = Services($"mongo://user:{Secret}@host");

        var using_ = () => services.GetRequiredService<IInbox>().StartAsync(new InboxSubscription("t", "g", null, TimeSpan.FromDays(1)),
            CancellationToken.None).GetAwaiter().GetResult();

        using_.Should().Throw<KafkaConfigurationException>().Which.ToString().Should().Contain("mongodb://").And.NotContain(Secret);
    }

    [Fact]
    public void Settings_come_from_the_section_and_code_wins()
    {
        using var services = Services(
            "mongodb://localhost:1", static options => options.Database = "code",
            new() { ["Kafka:Mongo:Database"] = "section", ["Kafka:Mongo:InboxCollection"] = "seen", ["Kafka:Mongo:TransactionLifetime"] = "00:00:30",
                ["Kafka:Mongo:UseTransactions"] = "false" });

        var options = services.GetRequiredService<MongoConnection>().Options;
        (options.Database, options.InboxCollection, options.TransactionLifetime, options.UseTransactions).Should()
            .Be(("code", "seen", TimeSpan.FromSeconds(30), false));
    }

    [Fact]
    public void Settings_that_are_wrong_are_named_all_at_once()
    {
        using var services = Services("mongodb://localhost:1", configuration: new() { ["Kafka:Mongo:Databse"] = "x", ["Kafka:Mongo:ClaimDuration"] = "soon" });

        var reading = () => services.GetRequiredService<MongoConnection>();

        reading.Should().Throw<KafkaConfigurationException>().Which.Errors.Should().HaveCount(2);
    }

    [Theory]
    [InlineData("ConnectionStrings:mongodb", "mongodb://aspire:1/from-aspire", "from-aspire")]
    [InlineData("MONGODB_URI", "mongodb://uri:1/from-uri", "from-uri")]
    [InlineData("MONGODB_URI", "mongodb://uri:1", "message-db")]
    public void The_connection_string_comes_from_the_hosts_configuration(string key, string uri, string database)
    {
        using var services = Services(null!, configuration: new() { [key] = uri });

        services.GetRequiredService<MongoConnection>().Database.DatabaseNamespace.DatabaseName.Should().Be(database);
    }

    [Theory]
    [InlineData("{ isWritablePrimary: true, maxWireVersion: 21, ok: 1 }", MongoTopology.Standalone, false)]
    [InlineData("{ isWritablePrimary: true, setName: 'rs0', hosts: ['a:1'], ok: 1 }", MongoTopology.ReplicaSet, true)]
    [InlineData("{ isWritablePrimary: true, msg: 'isdbgrid', maxWireVersion: 21, ok: 1 }", MongoTopology.Sharded, true)]
    public void Hello_says_whether_there_are_transactions(string hello, object topology, bool hasTransactions)
    {
        var found = MongoConnection.TopologyOf(MongoDB.Bson.BsonDocument.Parse(hello));

        (found, new MongoConnection.Description(found).HasTransactions).Should().Be(((MongoTopology)topology, hasTransactions));
    }

    [Fact]
    public async Task A_client_and_a_database_of_the_application_are_used_as_they_are()
    {
        var client = new MongoClient("mongodb://localhost:1/ignored");
        var services = new ServiceCollection();
        services.AddNaradKafka(static options => options.Mode = KafkaMode.Console).AddMongo(client.GetDatabase("mine"));
        await using var provider = services.BuildServiceProvider();
        provider.GetRequiredService<MongoConnection>().Database.DatabaseNamespace.DatabaseName.Should().Be("mine");
    }
}
