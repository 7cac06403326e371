using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using MongoDB.Bson;
using MongoDB.Driver;

namespace Narad.Kafka.Benchmarks;

/// <summary>The rows of the message store and of the inbox, in memory and, where one is named, on a MongoDB server.</summary>
internal static class Stores
{
    private static readonly TimeSpan Timeout = TimeSpan.FromMinutes(3);
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web);

    public static async Task<RowResult[]> StoreAsync(BenchmarkEnvironment environment, BenchmarkArguments arguments)
    {
        var memoryTopic = await TopicAsync(environment, arguments.Messages);
        var memory = new Row(
            "store",
            "typed JSON into the store in memory, 6 partitions",
            "msg/s",
            [
                new("AddMessageStore, batches", () => StoreAsync(environment, memoryTopic, database: null)),
                new("a handler that writes each message", () => InsertInMemoryAsync(environment, memoryTopic)),
            ],
            []);
        if (arguments.MongoDb is not { } uri)
        {
            return [await memory.MeasureAsync(arguments.Rounds)];
        }

        await using var server = new BenchmarkDatabase(uri, environment.NewName("database"));
        var topic = await TopicAsync(environment, arguments.StoredMessages);
        var mongo = new Row(
            "store mongodb",
            "typed JSON into a collection, 6 partitions",
            "msg/s",
            [
                new("StoreInMongo, bulk writes", () => StoreAsync(environment, topic, server.Database)),
                new("one insert a message, one after the other", () => InsertAsync(environment, topic, server.NewCollection(), parallelism: 1)),
                new("one insert a message, 32 at once", () => InsertAsync(environment, topic, server.NewCollection(), parallelism: 32)),
            ],
            [Target.Ratio("of one insert a message", 10, against: 1)]);
        return [await memory.MeasureAsync(arguments.Rounds), await mongo.MeasureAsync(arguments.Rounds)];
    }

    public static async Task<RowResult[]> InboxAsync(BenchmarkEnvironment environment, BenchmarkArguments arguments)
    {
        var memoryTopic = await TopicAsync(environment, arguments.Messages);
        var memory = new Row(
            "inbox",
            "a handler that does nothing, the id in a property of the message, in memory",
            "µs/msg",
            [
                new("Once, in memory", () => HandleAsync(environment, memoryTopic, static (_, _) => Task.CompletedTask,
                    static options => Once(options, new InMemoryInbox()))),
                new("the bare handler", () => HandleAsync(environment, memoryTopic, static (_, _) => Task.CompletedTask, static _ => { })),
            ],
            []);
        if (arguments.MongoDb is not { } uri)
        {
            return [await memory.MeasureAsync(arguments.Rounds)];
        }

        await using var server = new BenchmarkDatabase(uri, environment.NewName("database"));
        var topic = await TopicAsync(environment, arguments.StoredMessages);
        Candidate Inbox(string name, bool useTransactions) => new(name, async () =>
        {
            // A new inbox for each run: the group is another one, and so are its messages.
            await using var services = server.Services(options => options.UseTransactions = useTransactions);
            return await HandleAsync(environment, topic, Insert(server.NewCollection()), options => Once(options, services.GetRequiredService<IInbox>()));
        });
        List<Candidate> candidates = [Inbox("Once, without transactions", useTransactions: false)];
        if (await server.HasTransactionsAsync())
        {
            candidates.Insert(0, Inbox("Once, in transactions", useTransactions: true));
        }

        candidates.Add(new("the bare handler", () => HandleAsync(environment, topic, Insert(server.NewCollection()), static _ => { })));
        var mongo = new Row("inbox mongodb", "a handler that inserts a document, 1,024 keys, parallelism 32", "µs/msg", candidates, []);
        return [await memory.MeasureAsync(arguments.Rounds), await mongo.MeasureAsync(arguments.Rounds)];
    }

    private static Task<FilledTopic> TopicAsync(BenchmarkEnvironment environment, int messages) =>
        FilledTopic.CreateAsync(environment, messages, partitions: 6, n =>
            JsonSerializer.SerializeToUtf8Bytes(UserEvent.Samples[n % UserEvent.Keys] with { Sequence = n }, Json));

    private static void Once(SubscriptionOptions options, IInbox inbox)
    {
        options.Once.Enabled = true;
        options.Once.Inbox = inbox;
        options.Once.IdProperty = "sequence";
    }

    private static Func<UserEvent, MessageContext, Task> Insert(IMongoCollection<BsonDocument> collection) => (message, context) =>
    {
        var document = new BsonDocument { { "_id", message.Sequence }, { "user", message.UserId } };
        return context.GetMongoSession() is { } session ? collection.InsertOneAsync(session, document) : collection.InsertOneAsync(document);
    };

    private static async Task<Sample> InsertAsync(BenchmarkEnvironment environment, FilledTopic topic, IMongoCollection<BsonDocument> collection,
        int parallelism)
    {
        var sample = await HandleAsync(environment, topic, Insert(collection), options => options.Parallelism = parallelism);
        return sample with { Value = 1e6 / sample.Value };
    }

    private static async Task<Sample> InsertInMemoryAsync(BenchmarkEnvironment environment, FilledTopic topic)
    {
        var store = new InMemoryMessageStore();
        var target = new MessageStoreTarget("events");
        var sample = await HandleAsync(environment, topic, (message, context) =>
            store.WriteAsync(target, [new StoredMessage($"{message.Sequence}", Document: null, message, context)], CancellationToken.None), static _ => { });
        return sample with { Value = 1e6 / sample.Value };
    }

    // Microseconds a message.
    private static async Task<Sample> HandleAsync(BenchmarkEnvironment environment, FilledTopic topic, Func<UserEvent, MessageContext, Task> work,
        Action<SubscriptionOptions> configure)
    {
        var group = environment.NewName("group");
        var run = new HostedHandler.Run(topic.Messages);
        await using var kafka = new KafkaService(environment.Options());
        await kafka.ConnectConsumerAsync(group);
        await kafka.SubscribeAsync<UserEvent>(topic.Name, async (message, context, _) =>
        {
            run.Begin();
            await work(message, context);
            run.Count(context.Offset);
        }, group, configure);
        var sample = await run.Done.WaitAsync(Timeout);
        await kafka.DisconnectAsync();
        topic.Check(run.Handled, run.Offsets);
        return sample with { Value = 1e6 / sample.Value };
    }

    private static async Task<Sample> StoreAsync(BenchmarkEnvironment environment, FilledTopic topic, IMongoDatabase? database)
    {
        var run = new HostedHandler.Run(topic.Messages);
        var counting = new CountingStore(run);
        var settings = environment.Options();
        var services = new ServiceCollection().AddLogging().AddSingleton<IHostApplicationLifetime, HostedHandler.Lifetime>();
        var kafka = services.AddNaradKafka(options => (options.Mode, options.Brokers, options.ClientId) = (settings.Mode, settings.Brokers, settings.ClientId));
        if (database is not null)
        {
            kafka.AddMongo(database);
        }

        kafka.AddMessageStore<UserEvent>(topic.Name, environment.NewName("events"), environment.NewName("group"), store =>
        {
            store.Store = counting;
            store.IdProperty = "sequence";
        });
        await using var provider = services.BuildServiceProvider();
        counting.Inner = provider.GetService<IMessageStore>() ?? new InMemoryMessageStore();
        return await HostedHandler.MeasureAsync(provider, run, topic, Timeout);
    }

    /// <summary>Counts what the store acknowledged.</summary>
    private sealed class CountingStore(HostedHandler.Run run) : IMessageStore
    {
        public IMessageStore Inner { get; set; } = null!;

        public Task StartAsync(MessageStoreTarget target, CancellationToken cancellationToken) => Inner.StartAsync(target, cancellationToken);

        public async Task<IReadOnlyList<Exception?>> WriteAsync(MessageStoreTarget target, IReadOnlyList<StoredMessage> messages,
            CancellationToken cancellationToken)
        {
            run.Begin();
            var results = await Inner.WriteAsync(target, messages, cancellationToken);
            for (var i = 0; i < results.Count; i++)
            {
                if (results[i] is { } refused)
                {
                    throw new InvalidOperationException("A message was not stored.", refused);
                }

                run.Count(messages[i].Context.Offset);
            }

            return results;
        }
    }
}
