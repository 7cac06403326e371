using System.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using MongoDB.Bson;
using MongoDB.Driver;
using Narad.Kafka.Mongo;

namespace Narad.Kafka.Benchmarks;

/// <summary>How long it takes from the commit of a transaction until Kafka has acknowledged its message, one message at a time.</summary>
internal static class OutboxLatency
{
    // Below the size with which a change stream is opened.
    private const int SmallPool = 3;

    private const int Woken = 40;
    private const int Polled = 10;
    private static readonly TimeSpan Timeout = TimeSpan.FromMinutes(1);

    public static async Task<RowResult> MeasureAsync(
        BenchmarkEnvironment environment, KafkaService kafka, string topic, BenchmarkDatabase server, BenchmarkArguments arguments)
    {
        var polling = server.Connect(static settings => settings.MaxConnectionPoolSize = SmallPool);
        var (woken, polled) = (new List<double>(), new List<double>());
        for (var round = 0; round < arguments.Rounds; round++)
        {
            woken.AddRange(await RunAsync(environment, kafka, topic, server, server.Database, Woken));
            polled.AddRange(await RunAsync(environment, kafka, topic, server, polling, Polled));
        }

        EntryResult[] entries =
        [
            Entry("p50 with a change stream", woken, 0.5),
            Entry("p99 with a change stream", woken, 0.99),
            Entry("p50 without", polled, 0.5),
            Entry("p99 without", polled, 0.99),
        ];
        var interval = new OutboxOptions().PollInterval.TotalMilliseconds;
        Target[] targets =
        [
            new("p50 with a change stream", 50, AtMost: true, static entries => entries[0].Median),
            new("p50 without, of the polling interval", interval, AtMost: true, static entries => entries[2].Median),
        ];
        return new RowResult("outbox latency", "from commit to acknowledgement, one message at a time, linger 5 ms", "ms", entries,
            [.. targets.Select(target => target.Evaluate(entries))]);
    }

    private static EntryResult Entry(string name, List<double> times, double percentile)
    {
        var sorted = times.Order().ToList();
        var value = sorted[Math.Min(sorted.Count - 1, (int)(sorted.Count * percentile))];
        return new EntryResult(name, value, sorted[0], sorted[^1], BytesPerMessage: null, MicrosecondsPerMessage: null, Ratio: null, LowestRatio: null,
            HighestRatio: null);
    }

    private static async Task<List<double>> RunAsync(BenchmarkEnvironment environment, KafkaService kafka, string topic, BenchmarkDatabase server,
        IMongoDatabase through, int count)
    {
        var collection = environment.NewName("outbox");
        await using var services = server.Services(options => options.OutboxCollection = collection, through);
        var store = services.GetRequiredService<MongoOutboxStore>();
        var isWoken = ReferenceEquals(through, server.Database);
        var acknowledged = new TaskCompletionSource<long>();
        await using var relay = Outboxes.NewRelay(store, async message =>
        {
            var result = await kafka.SendStoredAsync(message);
            acknowledged.TrySetResult(Stopwatch.GetTimestamp());
            return result;
        });
        await Outboxes.BeginAsync(relay, () => !isWoken || store.WakeUp is MongoOutboxWakeUp.ChangeStream);
        var outbox = Outboxes.NewOutbox(kafka, store);
        var orders = server.NewCollection();
        var times = new List<double>();
        for (var i = 0; i <= count; i++)
        {
            acknowledged = new TaskCompletionSource<long>(TaskCreationOptions.RunContinuationsAsynchronously);
            using var session = await orders.Database.Client.StartSessionAsync();
            session.StartTransaction(new TransactionOptions(writeConcern: WriteConcern.WMajority));
            await orders.InsertOneAsync(session, new BsonDocument("total", 9.99));
            var message = UserEvent.Samples[i];
            await outbox.WithSession(session).EnqueueAsync(topic, message, message.UserId);
            await session.CommitTransactionAsync();
            var committed = Stopwatch.GetTimestamp();
            var sent = await acknowledged.Task.WaitAsync(Timeout);
            if (i > 0)
            {
                times.Add(Stopwatch.GetElapsedTime(committed, sent).TotalMilliseconds);   // the first one is not measured
            }
        }

        return times;
    }
}
