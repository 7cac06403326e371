using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using Confluent.Kafka;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using MongoDB.Bson;
using MongoDB.Driver;
using Narad.Kafka.Shared;
using Narad.Kafka.Testing;

namespace Narad.Kafka.Mongo.Tests;

/// <summary>Servers that die, stand still or step down under a store and an inbox that work: a verifier counts what is stored and committed.</summary>
public sealed class ServerFaultTests(EmbeddedKafka kafka) : IClassFixture<EmbeddedKafka>
{
    private const int Partitions = 3;

    private static readonly TimeSpan OperationTimeout = TimeSpan.FromSeconds(4);

    private sealed record Event(string Id, int Number);

    [SkippableTheory]
    [NotInParallel("it kills the server")]
    [Trait("Category", "BreaksServers")]
    [Trait("Promise", "S35")]
    [InlineData(TestDatabase.Standalone)]
    [InlineData(TestDatabase.ReplicaSet)]
    public async Task A_server_that_is_killed_in_the_middle_of_bulk_writes_loses_and_doubles_nothing(string server)
    {
        await using var control = ServerControl.ForKills(server);
        await using var run = await StartAsync(server, store: true, once: false);
        var sending = run.SendUntilStoppedAsync();

        for (var kill = 1; kill <= 2; kill++)
        {
            var before = await run.CountAsync("events");
            await Waiting.UntilAsync(async () => await run.CountAsync("events") > before + 100, "it stores");
            await control.KillAsync();
            await Waiting.UntilAsync(() => run.Store.CircuitState is not CircuitState.Closed, "the circuit opened");
            var committed = run.Committed(run.StoreGroup);
            await control.StartAsync();

            // Whatever was committed while the server was dead had been acknowledged: it is there.
            await Waiting.UntilAsync(async () => await run.IsReachableAsync(), "the server is back");
            foreach (var (partition, offset) in committed)
            {
                (await run.CountAsync("events", new BsonDocument { { "partition", partition }, { "offset", new BsonDocument("$lt", offset) } })).Should()
                    .Be(offset, "partition {0} is committed up to {1}", partition, offset);
            }

            await Waiting.UntilAsync(() => run.Store.CircuitState is CircuitState.Closed, "it resumed by itself");
        }

        run.StopSending();
        var sent = await sending;
        await Waiting.UntilAsync(async () => await run.CountAsync("events") >= sent, $"all {sent} were stored");
        var numbers = (await run.Database.Collection("events").Find(FilterDefinition<BsonDocument>.Empty).ToListAsync())
            .ConvertAll(static document => document["message"]["number"].AsInt32);
        numbers.Order().Should().Equal(Enumerable.Range(0, sent));
        (await run.DeadLettersAsync()).Should().Be(0);
    }

    [SkippableTheory]
    [NotInParallel("it pauses the server")]
    [Trait("Category", "BreaksServers")]
    [Trait("Promise", "S36")]
    [InlineData(TestDatabase.Standalone)]
    [InlineData(TestDatabase.ReplicaSet)]
    public async Task A_server_that_stands_still_for_15_s_opens_the_circuits_and_commits_and_dead_letters_nothing(string server)
    {
        await using var control = ServerControl.Of(server);
        await using var run = await StartAsync(server, store: true, once: true);
        var sending = run.SendUntilStoppedAsync();
        await Waiting.UntilAsync(async () => await run.CountAsync("events") > 50 && await run.CountAsync("effects") > 50, "it stores and handles");

        await control.PauseAsync();
        run.StopSending();
        var sent = await sending;
        var watch = Stopwatch.StartNew();

        // Bounded, typed answers: asked beside the subscriptions.
        var inbox = () => run.Service<IInbox>().HandleAsync(
            new InboxMessage("other", "t", "m", new TopicPartitionOffsetId("t", 0, 0), TimeSpan.FromDays(1)), static (_, _) => Task.CompletedTask, default);
        var store = () => run.Service<IMessageStore>().WriteAsync(new MessageStoreTarget("other"),
            [new StoredMessage("m", Document: null, new Event("m", 1), new MessageContext { Topic = "t" })], default);
        await Task.WhenAll(
            inbox.Should().ThrowAsync<StoreUnavailableException>().WithMessage("MongoDB could not *"),
            store.Should().ThrowAsync<StoreUnavailableException>().WithMessage("MongoDB could not *"));
        watch.Elapsed.Should().BeLessThan(OperationTimeout * 3, "each call has a limit of {0}", OperationTimeout);

        // Both circuits are open now, or one message at a time is out to see whether the server answers.
        await Waiting.UntilAsync(() => run.Store.CircuitState is not CircuitState.Closed && run.Once.CircuitState is not CircuitState.Closed,
            "both circuits opened");
        var health = await run.HealthAsync();
        health.Status.Should().Be(Microsoft.Extensions.Diagnostics.HealthChecks.HealthStatus.Unhealthy);
        health.Description.Should().Contain(run.StoreGroup).And.Contain(run.OnceGroup);
        var committed = (run.Committed(run.StoreGroup), run.Committed(run.OnceGroup));
        await Waiting.UntilAsync(() => watch.Elapsed > TimeSpan.FromSeconds(15), "15 s");
        (run.Committed(run.StoreGroup), run.Committed(run.OnceGroup)).Should().BeEquivalentTo(committed, "nothing is committed meanwhile");
        (await run.DeadLettersAsync()).Should().Be(0);
        await control.ResumeAsync();

        await Waiting.UntilAsync(async () => await run.CountAsync("events") >= sent && (await run.EffectsAsync()).Distinct().Count() == sent,
            $"all {sent} were stored and handled");
        (await run.CountAsync("events")).Should().Be(sent);
        if (server is TestDatabase.ReplicaSet)
        {
            (await run.EffectsAsync()).Should().OnlyHaveUniqueItems("with transactions effects happen exactly once");
        }

        (await run.DeadLettersAsync()).Should().Be(0);
        await Waiting.UntilAsync(() => run.Store.CircuitState is CircuitState.Closed && run.Once.CircuitState is CircuitState.Closed, "both closed");
    }

    [SkippableFact]
    [NotInParallel("the primary steps down")]
    [Trait("Category", "BreaksServers")]
    [Trait("Promise", "S36")]
    public async Task A_primary_that_steps_down_again_and_again_loses_and_doubles_nothing()
    {
        await using var run = await StartAsync(TestDatabase.ReplicaSet, store: true, once: true);
        var sending = run.SendUntilStoppedAsync();
        var admin = run.Database.Database.Client.GetDatabase("admin");
        for (var i = 0; i < 2; i++)
        {
            var (stored, handled) = (await run.CountAsync("events"), await run.CountAsync("effects"));
            await Waiting.UntilAsync(async () => await run.CountAsync("events") > stored + 50 && await run.CountAsync("effects") > handled + 50,
                "it stores and handles");
            try
            {
                await admin.RunCommandAsync<BsonDocument>(new BsonDocument { { "replSetStepDown", 2 }, { "force", true } });
            }
            catch (MongoException)
            {
                // It may answer by closing connections.
            }
        }

        run.StopSending();
        var sent = await sending;
        await Waiting.UntilAsync(async () => await run.CountAsync("events") >= sent && (await run.EffectsAsync()).Count >= sent,
            $"all {sent} were stored and handled");
        (await run.CountAsync("events")).Should().Be(sent);
        (await run.EffectsAsync()).Order().Should().Equal(Enumerable.Range(0, sent));
        (await run.DeadLettersAsync()).Should().Be(0);
    }

    [SkippableTheory]
    [NotInParallel("it kills the server")]
    [Trait("Category", "BreaksServers")]
    [Trait("Promise", "S36")]
    [InlineData(TestDatabase.Standalone)]
    [InlineData(TestDatabase.ReplicaSet)]
    public async Task The_connections_of_a_server_that_was_restarted_while_idle_are_an_outage_at_most(string server)
    {
        await using var control = ServerControl.ForKills(server);
        await using var database = TestDatabase.On(server);
        var connection = database.Connect();
        var store = new MongoMessageStore(connection, TimeProvider.System, json: null);
        var inbox = new MongoInbox(connection, TimeProvider.System);
        await inbox.StartAsync(new InboxSubscription("orders", "g", null, TimeSpan.FromDays(1)), CancellationToken.None);
        await HandleAndStoreAsync(1);

        await control.KillAsync();
        await control.StartAsync();

        await Waiting.UntilAsync(
            async () =>
            {
                try
                {
                    await HandleAndStoreAsync(2);
                    return true;
                }
                catch (StoreUnavailableException)
                {
                    return false;
                }
            },
            "stored and handled");
        (await database.Collection("events").CountDocumentsAsync(FilterDefinition<BsonDocument>.Empty)).Should().Be(2);

        async Task HandleAndStoreAsync(int number)
        {
            (await store.WriteAsync(new MessageStoreTarget("events"),
                [new StoredMessage($"m-{number}", Document: null, new Event("m", number), new MessageContext { Topic = "orders", Offset = number })],
                CancellationToken.None)).Should().OnlyContain(static error => error == null);
            (await inbox.HandleAsync(Program.MessageOf(number), static (_, _) => Task.CompletedTask, CancellationToken.None)).Kind.Should()
                .Be(InboxResultKind.Handled);
        }
    }

    private async Task<Run> StartAsync(string server, bool store, bool once)
    {
        var database = TestDatabase.On(server);
        await database.Database.CreateCollectionAsync("effects");
        var (topic, group) = (kafka.CreateTopic(Partitions), kafka.NewName("g"));
        kafka.Broker.CreateTopic($"{topic}-dlt", Partitions);
        var builder = Host.CreateEmptyApplicationBuilder(settings: null);
        var narad = builder.Services.AddNaradKafka(kafka.Apply).AddMongo(database.Uri, options =>
        {
            options.Database = database.Name;
            options.ServerSelectionTimeout = TimeSpan.FromSeconds(1);
            options.OperationTimeout = OperationTimeout;
        });
        void Configure(SubscriptionOptions options)
        {
            options.DeadLetter.Enabled = true;
            options.CircuitBreaker.BreakDuration = TimeSpan.FromMilliseconds(200);
            options.CircuitBreaker.MaxBreakDuration = TimeSpan.FromSeconds(1);
        }

        if (store)
        {
            narad.StoreInMongo<Event>(topic, "events", group: $"{group}-store", store: static options => options.IdProperty = "id", configure: options =>
            {
                Configure(options);
                (options.MaxBatchSize, options.MaxBatchWait) = (20, TimeSpan.FromMilliseconds(20));
            });
        }

        if (once)
        {
            narad.AddSubscription<Event, EffectHandler>(topic, $"{group}-once", options =>
            {
                Configure(options);
                options.Once.Enabled = true;
                options.Once.IdProperty = "id";
            });
        }

        builder.Services.AddHealthChecks().AddNaradKafkaMongo();
        var host = builder.Build();
        await host.StartAsync();
        return new Run(host, database, kafka.BootstrapServers, topic, group);
    }

    private sealed class EffectHandler(IMongoSessionAccessor accessor, MongoConnection connection) : IMessageHandler<Event>
    {
        public Task HandleAsync(Event message, MessageContext context, CancellationToken cancellationToken)
        {
            var effects = connection.Database.GetCollection<BsonDocument>("effects");
            var effect = new BsonDocument("number", message.Number);
            return accessor.Session is { } session
                ? effects.InsertOneAsync(session, effect, cancellationToken: cancellationToken)
                : effects.InsertOneAsync(effect, cancellationToken: cancellationToken);
        }
    }

    /// <summary>A host with a store, an inbox or both on one topic, and what the verifier asks.</summary>
    private sealed class Run(IHost host, TestDatabase database, string brokers, string topic, string group) : IAsyncDisposable
    {
        private readonly IKafkaService _kafka = host.Services.GetRequiredService<IKafkaService>();
        private readonly CancellationTokenSource _sending = new();

        public TestDatabase Database => database;

        public string StoreGroup => $"{group}-store";

        public string OnceGroup => $"{group}-once";

        public ISubscription Store => _kafka.Subscriptions.Single(one => one.Group == StoreGroup);

        public ISubscription Once => _kafka.Subscriptions.Single(one => one.Group == OnceGroup);

        public T Service<T>()
            where T : notnull => host.Services.GetRequiredService<T>();

        public void StopSending() => _sending.Cancel();

        /// <summary>How many were sent: numbers from 0, one id each.</summary>
        public Task<int> SendUntilStoppedAsync() => Task.Run(async () =>
        {
            var sent = 0;
            for (; !_sending.IsCancellationRequested && sent < 20_000; sent++)
            {
                var id = sent.ToString(CultureInfo.InvariantCulture);
                await _kafka.SendAsync(topic, new Event(id, sent), $"k-{sent % 50}");
                await Task.Delay(10);
            }

            return sent;
        });

        public async Task<long> CountAsync(string collection, BsonDocument? filter = null) =>
            await database.Collection(collection).CountDocumentsAsync(filter ?? []);

        public async Task<List<int>> EffectsAsync() => (await database.Collection("effects").Find(FilterDefinition<BsonDocument>.Empty).ToListAsync())
            .ConvertAll(static effect => effect["number"].AsInt32);

        public async Task<bool> IsReachableAsync()
        {
            try
            {
                await CountAsync("events");
                return true;
            }
            catch (Exception error) when (error is MongoException or TimeoutException)
            {
                return false;
            }
        }

        /// <summary>By partition; only where something is committed.</summary>
        public SortedDictionary<int, long> Committed(string ofGroup)
        {
            using var consumer = new ConsumerBuilder<Ignore, Ignore>(new ConsumerConfig { BootstrapServers = brokers, GroupId = ofGroup }).Build();
            var committed = consumer.Committed(Enumerable.Range(0, Partitions).Select(partition => new TopicPartition(topic, partition)),
                TimeSpan.FromSeconds(30));
            return new(committed.Where(static one => one.Offset.Value >= 0).ToDictionary(static one => one.Partition.Value, static one => one.Offset.Value));
        }

        public Task<long> DeadLettersAsync() => _kafka.DeadLetters.CountAsync($"{topic}-dlt");

        public async Task<Microsoft.Extensions.Diagnostics.HealthChecks.HealthReportEntry> HealthAsync() =>
            (await Service<Microsoft.Extensions.Diagnostics.HealthChecks.HealthCheckService>().CheckHealthAsync()).Entries["mongodb"];

        public async ValueTask DisposeAsync()
        {
            await _sending.CancelAsync();
            await host.StopAsync();
            host.Dispose();
            _sending.Dispose();
            await database.DisposeAsync();
        }
    }
}
