using System.Collections.Concurrent;
using System.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using MongoDB.Bson;
using MongoDB.Driver;
using Narad.Kafka.Mongo;
using Narad.Kafka.Testing;

namespace Narad.Kafka.Mongo.Tests;

/// <summary>Users who may not log in, or may not do something: typed answers in a bounded time, nothing lost, and no credential in any text.</summary>
public sealed class SecuredServerTests(EmbeddedKafka kafka) : IClassFixture<EmbeddedKafka>
{
    /// <summary>The connection string of a replica set that asks for a login, with a user who may do everything.</summary>
    private const string Secured = "NARAD_TEST_MONGODB_SECURED";

    private const string WrongUser = "n0b0dy";
    private const string WrongPassword = "wr0ng-w0rd";

    private sealed record Event(string Id, int Number);

    [SkippableTheory]
    [Trait("Promise", "S35")]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_refused_login_fails_the_start_names_no_credential_and_loses_nothing(bool knownUser)
    {
        await using var database = TestDatabase.On(Secured, LogIn);
        await database.Database.CreateCollectionAsync("effects");
        var (topic, group) = (kafka.CreateTopic(), kafka.NewName("g"));
        await using var service = new KafkaService(kafka.CreateOptions());
        await service.ConnectProducerAsync();
        await service.SendManyAsync(topic, Enumerable.Range(0, 50).Select(static number => new Event($"{number}", number)), static one => one.Id);
        var right = new MongoUrlBuilder(database.Uri);
        var wrong = new MongoUrlBuilder(database.Uri) { Username = knownUser ? right.Username : WrongUser, Password = WrongPassword };

        var texts = new ConcurrentQueue<string>();
        using (var refused = Build(wrong.ToString(), database.Name, topic, group, texts))
        {
            var watch = Stopwatch.StartNew();
            var starting = () => refused.StartAsync();
            var error = (await starting.Should().ThrowAsync<StoreUnavailableException>()).Which;
            watch.Elapsed.Should().BeLessThan(TimeSpan.FromSeconds(60));
            error.Message.Should().Contain("refused the login").And.Contain("authSource");
            texts.Enqueue(error.ToString());
            var health = (await refused.Services.GetRequiredService<HealthCheckService>().CheckHealthAsync()).Entries["mongodb"];
            health.Status.Should().Be(HealthStatus.Unhealthy);
            health.Description.Should().Contain("refused the login");
            texts.Enqueue($"{health.Description} {health.Exception} {string.Join(' ', health.Data)}");
        }

        using var granted = Build(database.Uri, database.Name, topic, group, texts);
        await granted.StartAsync();
        await Waiting.UntilAsync(async () => await CountAsync("events") == 50 && await CountAsync("effects") == 50, "all were stored and handled");
        await granted.StopAsync();

        texts.Should().NotBeEmpty();
        foreach (var secret in new[] { WrongPassword, right.Password, WrongUser, $"{right.Username}:" })
        {
            texts.Should().NotContain(text => text.Contains(secret, StringComparison.Ordinal));
        }

        async Task<long> CountAsync(string collection) => await database.Collection(collection).CountDocumentsAsync(FilterDefinition<BsonDocument>.Empty);
    }

    [SkippableTheory]
    [Trait("Promise", "S36")]
    [InlineData("insert")]
    [InlineData("listIndexes")]
    [InlineData("create")]
    [InlineData("createIndexes")]
    public async Task A_missing_permission_is_an_unavailable_store_that_says_what_to_grant(string command)
    {
        await using var database = TestDatabase.On(TestDatabase.ReplicaSet);
        await database.Database.CreateCollectionAsync("effects");
        var name = $"narad-{Guid.CreateVersion7():n}";
        var client = TestDatabase.Client(database.Uri, settings => settings.ApplicationName = name);
        var inbox = new MongoInbox(database.Connect(database: client.GetDatabase(database.Name)), TimeProvider.System);
        async Task HandleAsync()
        {
            await inbox.StartAsync(new InboxSubscription("t", "g", null, TimeSpan.FromDays(1)), CancellationToken.None);
            await inbox.HandleAsync(Program.MessageOf(1), (session, token) => client.GetDatabase(database.Name).GetCollection<BsonDocument>("effects")
                .InsertOneAsync((IClientSessionHandle)session!, new BsonDocument("number", 1), cancellationToken: token), CancellationToken.None);
        }

        await using (await Failpoint.SetAsync(database.Database.Client, name, command, code: 13, times: 1))
        {
            await ((Func<Task>)HandleAsync).Should().ThrowAsync<StoreUnavailableException>().WithMessage("*may not do that*readWrite*");
        }

        await HandleAsync();
        (await database.Collection("effects").CountDocumentsAsync(FilterDefinition<BsonDocument>.Empty)).Should().Be(1);
    }

    // With a server API the client does not log in by the protocol of old servers, which not every server speaks.
    private static void LogIn(MongoClientSettings settings) => settings.ServerApi = new ServerApi(ServerApiVersion.V1);

    private IHost Build(string uri, string database, string topic, string group, ConcurrentQueue<string> texts)
    {
        var logging = LoggerFactory.Create(logging => logging.SetMinimumLevel(LogLevel.Trace).AddProvider(new Texts(texts)));
        var builder = Host.CreateEmptyApplicationBuilder(settings: null);
        builder.Logging.SetMinimumLevel(LogLevel.Trace).AddProvider(new Texts(texts));
        builder.Services.AddNaradKafka(kafka.Apply)
            .AddMongo(TestDatabase.Client(uri, settings =>
            {
                LogIn(settings);
                settings.LoggingSettings = new MongoDB.Driver.Core.Configuration.LoggingSettings(logging);
            }), options => options.Database = database)
            .StoreInMongo<Event>(topic, "events", group: $"{group}-store", store: static options => options.IdProperty = "id")
            .AddSubscription<Event, EffectHandler>(topic, group, static options => options.Once.Enabled = true);
        builder.Services.AddHealthChecks().AddNaradKafkaMongo();
        return builder.Build();
    }

    private sealed class EffectHandler(IMongoSessionAccessor accessor, MongoConnection connection) : IMessageHandler<Event>
    {
        public Task HandleAsync(Event message, MessageContext context, CancellationToken cancellationToken) =>
            connection.Database.GetCollection<BsonDocument>("effects")
                .InsertOneAsync(accessor.Session, new BsonDocument("number", message.Number), cancellationToken: cancellationToken);
    }

    /// <summary>Keeps every line that is logged, the driver's too. Thread-safe.</summary>
    private sealed class Texts(ConcurrentQueue<string> texts) : ILoggerProvider, ILogger
    {
        public ILogger CreateLogger(string categoryName) => this;

        public bool IsEnabled(LogLevel logLevel) => true;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            texts.Enqueue($"{formatter(state, exception)} {exception}");

        public void Dispose()
        {
        }
    }
}
