using System.Collections.Concurrent;
using System.Globalization;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using MongoDB.Bson;
using MongoDB.Driver;
using Narad.Kafka.Testing;

namespace Narad.Kafka.Mongo.Tests;

/// <summary>
/// An application that writes documents and enqueues their events, each key in order and some transactions aborted, and a verifier that reads what arrived in
/// the topic.
/// </summary>
internal sealed class OutboxWriters : IAsyncDisposable
{
    private readonly TestDatabase _database;
    private readonly IHost _host;
    private readonly KafkaService _reader;
    private readonly int[] _committed;
    private readonly ConcurrentDictionary<string, ConcurrentQueue<(string Id, Item Item)>> _arrived = new(StringComparer.Ordinal);
    private readonly CancellationTokenSource _stopping = new();
    private Task[] _writers = [];

    private OutboxWriters(TestDatabase database, EmbeddedKafka kafka, int keys)
    {
        (_database, _committed) = (database, new int[keys]);
        Topic = kafka.CreateTopic(partitions: 24);
        _host = CreateHost(database, kafka, static options => options.RelayEnabled = false);
        _reader = new KafkaService(kafka.CreateOptions());
    }

    public sealed record Item(int Number, bool IsAborted, int Key);

    public string Topic { get; }

    public int Committed => _committed.Sum();

    /// <summary>How many messages arrived, each counted once.</summary>
    public int Arrived => _arrived.Values.Sum(static messages => messages.DistinctBy(static one => one.Id).Count());

    /// <summary>How many messages arrived once more.</summary>
    public int Repeated => _arrived.Values.Sum(static messages => messages.Count) - Arrived;

    public IOutbox Outbox => _host.Services.GetRequiredService<IOutbox>();

    /// <summary>A host with an outbox and its relay.</summary>
    /// <param name="database">Where the outbox is.</param>
    /// <param name="kafka">Where its messages go.</param>
    /// <param name="configure">Changes its options.</param>
    /// <param name="time">The host's clock.</param>
    /// <param name="through">Another way to the server, which gives up after a second where nothing answers.</param>
    public static IHost CreateHost(
        TestDatabase database, EmbeddedKafka kafka, Action<OutboxOptions>? configure = null, TimeProvider? time = null, string? through = null)
    {
        var builder = Host.CreateEmptyApplicationBuilder(settings: null);
        if (time is not null)
        {
            builder.Services.AddSingleton(time);
        }

        builder.Services.AddNaradKafka(kafka.Apply)
            .AddMongo(through is null ? TestDatabase.Client(database.Uri)
                : TestDatabase.Client(through, static settings => settings.ServerSelectionTimeout = TimeSpan.FromSeconds(1)),
                options => options.Database = database.Name)
            .AddOutbox(options =>
            {
                (options.LeaseDuration, options.PollInterval) = (TimeSpan.FromSeconds(2), TimeSpan.FromMilliseconds(200));
                configure?.Invoke(options);
            });
        builder.Services.AddHealthChecks().AddNaradKafkaOutbox();
        return builder.Build();
    }

    public static async Task<OutboxWriters> StartAsync(TestDatabase database, EmbeddedKafka kafka, int keys = 8)
    {
        var writers = new OutboxWriters(database, kafka, keys);
        await database.StartStoreAsync();
        await database.Database.CreateCollectionAsync("orders");
        await writers._host.StartAsync();
        var group = kafka.NewName("verifier");
        await writers._reader.ConnectConsumerAsync(group);
        await writers._reader.SubscribeAsync<Item>(writers.Topic, (item, context, _) =>
        {
            writers._arrived.GetOrAdd(KeyOf(item.Key), static _ => new()).Enqueue((context.Headers.GetText("message-id")!, item));
            return Task.CompletedTask;
        }, group, static options => options.StartPosition = StartPosition.Earliest);
        return writers;
    }

    /// <summary>Each key writes and enqueues until it is stopped.</summary>
    public void Write(TimeSpan pause) => _writers = [.. Enumerable.Range(0, _committed.Length).Select(key => Task.Run(() => WriteAsync(key, pause)))];

    /// <summary>Enqueues so many messages with few calls.</summary>
    /// <param name="count">How many.</param>
    /// <param name="through">By which outbox; default: one that has no relay.</param>
    public async Task EnqueueAsync(int count, IOutbox? through = null)
    {
        foreach (var keys in Enumerable.Range(0, count).Select(number => number % _committed.Length).Chunk(1_000))
        {
            var items = keys.Select(key => new Item(_committed[key]++, IsAborted: false, key)).ToList();
            await (through ?? Outbox).EnqueueManyAsync(Topic, items, static item => KeyOf(item.Key));
        }
    }

    public async Task StopWritingAsync()
    {
        await _stopping.CancelAsync();
        await Task.WhenAll(_writers);
    }

    /// <summary>Waits until everything arrived, and checks it: nothing lost, each key in the order of its commits apart from duplicates, nothing of an aborted
    /// transaction.</summary>
    public async Task VerifyAsync()
    {
        await StopWritingAsync();
        await Waiting.UntilAsync(() => Arrived >= Committed, $"all {Committed} messages arrived");
        await Waiting.UntilAsync(async () => await _database.CountAsync("pending") == 0, "all were marked");
        for (var key = 0; key < _committed.Length; key++)
        {
            var arrived = _arrived[KeyOf(key)];
            arrived.Should().NotContain(static one => one.Item.IsAborted);
            arrived.DistinctBy(static one => one.Id).Select(static one => one.Item.Number).Should().Equal(Enumerable.Range(0, _committed[key]));
        }

        (await _database.CountAsync("dispatched")).Should().Be(Committed);
    }

    public async ValueTask DisposeAsync()
    {
        await StopWritingAsync();
        await _reader.DisposeAsync();
        await _host.StopAsync();
        _host.Dispose();
        _stopping.Dispose();
    }

    private static string KeyOf(int key) => $"k-{key.ToString(CultureInfo.InvariantCulture)}";

    private async Task WriteAsync(int key, TimeSpan pause)
    {
        var orders = _database.Collection("orders");
        while (!_stopping.IsCancellationRequested)
        {
            var aborts = Random.Shared.Next(5) == 0;
            var committed = false;
            var id = Guid.NewGuid().ToString();
            try
            {
                using var session = await _database.Database.Client.StartSessionAsync();
                session.StartTransaction();
                await orders.InsertOneAsync(session, new BsonDocument { { "_id", id }, { "number", _committed[key] } });
                await Outbox.WithSession(session).EnqueueAsync(Topic, new Item(_committed[key], aborts, key), KeyOf(key));
                if (aborts)
                {
                    await session.AbortTransactionAsync();
                }
                else
                {
                    await session.CommitTransactionAsync();
                    committed = true;
                }
            }
            catch (Exception error) when (error is MongoException or StoreUnavailableException or TimeoutException)
            {
                // Whether it was committed, the order tells.
                await Waiting.UntilAsync(
                    async () =>
                    {
                        try
                        {
                            committed = await orders.CountDocumentsAsync(new BsonDocument("_id", id)) > 0;
                            return true;
                        }
                        catch (Exception again) when (again is MongoException or TimeoutException)
                        {
                            return false;
                        }
                    },
                    "the server answers");
            }

            _committed[key] += committed ? 1 : 0;
            await Task.Delay(pause);
        }
    }
}
