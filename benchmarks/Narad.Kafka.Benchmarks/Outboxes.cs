using System.Collections.Concurrent;
using System.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using MongoDB.Bson;
using MongoDB.Driver;
using Narad.Kafka.Outbox;

namespace Narad.Kafka.Benchmarks;

/// <summary>The rows of the outbox: what its relay sends, in memory and, where one is named, on a MongoDB server.</summary>
internal static class Outboxes
{
    private const int Keys = 10_000;
    private const int Batch = 1_000;
    private static readonly TimeSpan Timeout = TimeSpan.FromMinutes(3);

    public static async Task<RowResult[]> MeasureAsync(BenchmarkEnvironment environment, BenchmarkArguments arguments)
    {
        var topic = await environment.NewTopicAsync("outbox", partitions: 6);
        await using var kafka = new KafkaService(environment.Options());
        await kafka.ConnectProducerAsync();
        var results = new List<RowResult> { await InMemoryAsync(environment, kafka, topic, arguments) };
        if (arguments.MongoDb is { } uri)
        {
            await using var server = new BenchmarkDatabase(uri, environment.NewName("database"));
            results.Add(await InMongoAsync(environment, kafka, topic, server, arguments));
            results.AddRange(await OutboxEnqueuing.MeasureAsync(environment, kafka, topic, server, arguments));
            if (await server.HasTransactionsAsync())
            {
                results.Add(await OutboxLatency.MeasureAsync(environment, kafka, topic, server, arguments));
            }
        }

        return [.. results];
    }

    /// <summary>A relay that sends through a service, and tells of each message that Kafka acknowledged.</summary>
    public static OutboxRelay NewRelay(IOutboxStore store, OutboxTransport transport) =>
        new(store, new OutboxOptions(), transport, new OutboxMetrics("narad-bench"), TimeProvider.System, NullLogger.Instance);

    public static KafkaOutbox NewOutbox(KafkaService kafka, IOutboxStore store) =>
        new(new Lazy<OutboxComposer>(() => new OutboxComposer(kafka.Options)), store, new OutboxMetrics("narad-bench"));

    private static Task<RowResult> InMemoryAsync(BenchmarkEnvironment environment, KafkaService kafka, string topic, BenchmarkArguments arguments)
    {
        var events = Events(arguments.Messages);
        var row = new Row(
            "outbox",
            $"typed JSON, {Keys} keys, pending at the start",
            "msg/s",
            [
                Written("the relay, store in memory", () => RelayAsync(kafka, new InMemoryOutboxStore(), topic, events)),
                Written("SendManyAsync", () => SendAsync(kafka, topic, events)),
            ],
            []);
        return row.MeasureAsync(arguments.Rounds);

        Candidate Written(string name, Func<Task<Sample>> run) => Sending.Written(environment, topic, events.Length, name, run);
    }

    private static async Task<RowResult> InMongoAsync(
        BenchmarkEnvironment environment, KafkaService kafka, string topic, BenchmarkDatabase server, BenchmarkArguments arguments)
    {
        var events = Events(arguments.OutboxMessages);
        async Task<Sample> RunAsync(Func<IOutboxStore, IMongoCollection<BsonDocument>, Task<Sample>> work, IMongoDatabase? through = null)
        {
            var name = environment.NewName("outbox");
            await using var services = server.Services(options => options.OutboxCollection = name, through);
            var rows = (through ?? server.Database).GetCollection<BsonDocument>(name).WithWriteConcern(WriteConcern.WMajority);
            var sample = await work(services.GetRequiredService<IOutboxStore>(), rows);
            await server.Database.DropCollectionAsync(name);
            return sample;
        }

        var row = new Row(
            "outbox mongodb",
            $"typed JSON, {Keys} keys, committed at once",
            "msg/s",
            [
                Written("the relay", () => RunAsync((store, rows) => RelayAtWorkAsync(kafka, store, rows, topic, events))),
                Written("SendManyAsync", () => SendAsync(kafka, topic, events)),
                Written("a loop: find 1,000, send, update", () => RunAsync((store, rows) => LoopAsync(kafka, store, rows, topic, events))),
                Written("the relay, which takes over every row", () => RunAsync((store, _) => RelayAsync(kafka, store, topic, events))),
            ],
            [Target.Ratio("of SendManyAsync", 0.5, against: 1), Target.Ratio("of the loop", 0.5, against: 2)]);
        var result = await row.MeasureAsync(arguments.Rounds);

        var commands = new ConcurrentDictionary<string, int>(StringComparer.Ordinal);
        await RunAsync((store, rows) => RelayAtWorkAsync(kafka, store, rows, topic, events, commands.Clear), server.ConnectCounting(commands));
        Console.WriteLine($"\ncommands of the relay in a run of {events.Length} messages: "
            + string.Join(", ", commands.OrderByDescending(static one => one.Value).Select(static one => $"{one.Key} {one.Value}")));
        return result;

        Candidate Written(string name, Func<Task<Sample>> run) => Sending.Written(environment, topic, events.Length, name, run);
    }

    private static UserEvent[] Events(int count) =>
        [.. Enumerable.Range(0, count).Select(static n => UserEvent.Samples[n % UserEvent.Keys] with { UserId = $"user-{n % Keys:00000}", Sequence = n })];

    private static async Task<Sample> SendAsync(KafkaService kafka, string topic, UserEvent[] events)
    {
        var stretch = Sample.Start();
        await kafka.SendManyAsync(topic, events, static one => one.UserId);
        return stretch.PerSecond(events.Length);
    }

    // The relay takes over its buckets with all their messages.
    private static async Task<Sample> RelayAsync(KafkaService kafka, IOutboxStore store, string topic, UserEvent[] events)
    {
        await EnqueueAsync(kafka, store, topic, events);
        var run = new Run(kafka, events.Length);
        await using var relay = NewRelay(store, run.SendAsync);
        await relay.StartAsync(CancellationToken.None);
        return await EndAsync(run, relay, store, events.Length);
    }

    // The relay holds its buckets already; the messages are enqueued in one transaction.
    private static async Task<Sample> RelayAtWorkAsync(
        KafkaService kafka, IOutboxStore store, IMongoCollection<BsonDocument> rows, string topic, UserEvent[] events, Action? enqueued = null)
    {
        var run = new Run(kafka, events.Length);
        await using var relay = NewRelay(store, run.SendAsync);
        await BeginAsync(relay);
        using var session = await rows.Database.Client.StartSessionAsync();
        session.StartTransaction(new TransactionOptions(writeConcern: WriteConcern.WMajority));
        await EnqueueAsync(kafka, store, topic, events, session);
        enqueued?.Invoke();
        await session.CommitTransactionAsync();
        return await EndAsync(run, relay, store, events.Length);
    }

    // From the first send until everything is marked.
    private static async Task<Sample> EndAsync(Run run, OutboxRelay relay, IOutboxStore store, int messages)
    {
        await run.Done.WaitAsync(Timeout);
        await relay.StopAsync(Timeout);
        var sample = run.Stretch.PerSecond(messages);
        await CheckAsync(store);
        return sample;
    }

    /// <summary>Starts a relay, and waits until it has every bucket and, where that is asked for, is ready.</summary>
    public static async Task BeginAsync(OutboxRelay relay, Func<bool>? isReady = null)
    {
        await relay.StartAsync(CancellationToken.None);
        var started = Stopwatch.GetTimestamp();
        while (relay.Held < OutboxMessage.BucketCount || isReady?.Invoke() is false)
        {
            if (Stopwatch.GetElapsedTime(started) > Timeout)
            {
                throw new TimeoutException("The relay does not begin.");
            }

            await Task.Delay(10);
        }
    }

    // What every outbox does at least. No order, no leases, one process.
    private static async Task<Sample> LoopAsync(
        KafkaService kafka, IOutboxStore store, IMongoCollection<BsonDocument> rows, string topic, UserEvent[] events)
    {
        await EnqueueAsync(kafka, store, topic, events);
        var update = Builders<BsonDocument>.Update.Set("state", "dispatched").CurrentDate("dispatchedAt");
        var stretch = Sample.Start();
        while (true)
        {
            var found = await rows.Find(new BsonDocument { { "state", "pending" }, { "bucket", new BsonDocument("$gte", 0) } }).Limit(Batch).ToListAsync();
            if (found.Count == 0)
            {
                break;
            }

            var sends = found.ConvertAll(row => kafka.SendAsync(topic, row["value"].AsByteArray, row["key"].AsByteArray));
            foreach (var send in sends)
            {
                await send;
            }

            await rows.UpdateManyAsync(new BsonDocument("_id", new BsonDocument("$in", new BsonArray(found.Select(static row => row["_id"])))), update);
        }

        var sample = stretch.PerSecond(events.Length);
        await CheckAsync(store);
        return sample;
    }

    private static async Task EnqueueAsync(KafkaService kafka, IOutboxStore store, string topic, UserEvent[] events, object? session = null)
    {
        await store.StartAsync(TimeSpan.FromDays(1), CancellationToken.None);
        IOutbox outbox = NewOutbox(kafka, store);
        outbox = session is null ? outbox : outbox.WithSession(session);
        foreach (var some in events.Chunk(Batch))
        {
            await outbox.EnqueueManyAsync(topic, some, static one => one.UserId);
        }
    }

    private static async Task CheckAsync(IOutboxStore store)
    {
        if (await store.GetStatisticsAsync(CancellationToken.None) is { Pending: > 0 } statistics)
        {
            throw new InvalidOperationException($"{statistics.Pending} messages are still pending.");
        }
    }

    private sealed class Run(KafkaService kafka, int messages)
    {
        private readonly TaskCompletionSource _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private int _begun;
        private int _sent;

        public Task Done => _done.Task;

        public Sample.Stretch Stretch { get; private set; }

        public async ValueTask<SendResult> SendAsync(OutboxMessage message)
        {
            if (Volatile.Read(ref _begun) == 0 && Interlocked.Exchange(ref _begun, 1) == 0)
            {
                Stretch = Sample.Start();
            }

            var result = await kafka.SendStoredAsync(message);
            if (Interlocked.Increment(ref _sent) == messages)
            {
                _done.TrySetResult();
            }

            return result;
        }
    }
}
