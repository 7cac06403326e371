using Microsoft.Extensions.DependencyInjection;
using MongoDB.Bson;
using MongoDB.Driver;

namespace Narad.Kafka.Benchmarks;

/// <summary>What it costs to enqueue a message in MongoDB, against an insert of a row of its size.</summary>
internal static class OutboxEnqueuing
{
    public static async Task<IReadOnlyList<RowResult>> MeasureAsync(
        BenchmarkEnvironment environment, KafkaService kafka, string topic, BenchmarkDatabase server, BenchmarkArguments arguments)
    {
        var collection = environment.NewName("outbox");
        await using var services = server.Services(options => options.OutboxCollection = collection);
        var store = services.GetRequiredService<IOutboxStore>();
        await store.StartAsync(TimeSpan.FromDays(1), CancellationToken.None);
        var outbox = Outboxes.NewOutbox(kafka, store);
        Task EnqueueAsync(int i, IClientSessionHandle? session)
        {
            var message = UserEvent.Samples[i % UserEvent.Keys];
            return (session is null ? outbox : outbox.WithSession(session)).EnqueueAsync(topic, message, message.UserId).AsTask();
        }

        await EnqueueAsync(0, session: null);
        var stored = await server.Database.GetCollection<BsonDocument>(collection).Find(new BsonDocument()).FirstAsync();
        var inserts = server.NewCollection();
        Task InsertAsync(int i, IClientSessionHandle? session)
        {
            var row = new BsonDocument(stored) { ["_id"] = Guid.CreateVersion7().ToString() };
            return session is null ? inserts.InsertOneAsync(row) : inserts.InsertOneAsync(session, row);
        }

        var results = new List<RowResult>();
        foreach (var isInTransaction in await server.HasTransactionsAsync() ? new[] { false, true } : [false])
        {
            foreach (var atOnce in new[] { 1, 32 })
            {
                var count = arguments.OutboxEnqueues * (atOnce > 1 ? 4 : 1);
                var orders = server.NewCollection();
                Candidate Measured(string name, Func<int, IClientSessionHandle?, Task> work) => new(name, () => RunAsync(
                    count, atOnce, i => isInTransaction ? InTransactionAsync(orders, session => work(i, session)) : work(i, null)));
                var row = new Row(
                    "outbox enqueue",
                    $"{(isInTransaction ? "in a transaction that inserts a document" : "no transaction")}, {(atOnce > 1 ? $"{atOnce} at once" : "one by one")}",
                    "µs/msg",
                    [Measured("EnqueueAsync", EnqueueAsync), Measured("insert of a row of that size", InsertAsync)],
                    [Target.Ratio("of the insert", 1.5, against: 1, atMost: true)]);
                results.Add(await row.MeasureAsync(arguments.Rounds));
            }
        }

        return results;
    }

    private static async Task InTransactionAsync(IMongoCollection<BsonDocument> orders, Func<IClientSessionHandle, Task> work)
    {
        using var session = await orders.Database.Client.StartSessionAsync();
        session.StartTransaction(new TransactionOptions(writeConcern: WriteConcern.WMajority));
        await orders.InsertOneAsync(session, new BsonDocument("total", 9.99));
        await work(session);
        await session.CommitTransactionAsync();
    }

    private static async Task<Sample> RunAsync(int count, int atOnce, Func<int, Task> work)
    {
        var last = -1;
        var stretch = Sample.Start();
        await Task.WhenAll(Enumerable.Range(0, atOnce).Select(async _ =>
        {
            while (Interlocked.Increment(ref last) is var i && i < count)
            {
                await work(i);
            }
        }));
        var sample = stretch.PerSecond(count);
        return sample with { Value = 1e6 / sample.Value };
    }
}
