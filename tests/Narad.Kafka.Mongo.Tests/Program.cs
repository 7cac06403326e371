using System.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging.Abstractions;
using MongoDB.Bson;
using MongoDB.Driver;
using Narad.Kafka.Mongo;
using Narad.Kafka.Shared;

namespace Narad.Kafka.Mongo.Tests;

/// <summary>
/// A process that a test kills: <c>inbox URI DATABASE</c> handles messages through the inbox, and the first message's number comes on standard input;
/// <c>store URI DATABASE BROKERS TOPIC GROUP</c> stores a topic; <c>relay URI DATABASE BROKERS MARKS</c> sends what an outbox holds, and kills itself before it
/// marks for that time. It ends when its standard input does.
/// </summary>
internal static class Program
{
    public sealed record Event(string Id, int Number);

    public static InboxMessage MessageOf(int number) =>
        new("g", "orders", $"m-{number}", new TopicPartitionOffsetId("orders", 0, number), TimeSpan.FromDays(1));

    public static Task Main(string[] arguments) => arguments switch
    {
        ["inbox", var uri, var database] => HandleAsync(new MongoClient(uri).GetDatabase(database)),
        ["store", var uri, var database, var brokers, var topic, var group] => StoreAsync(uri, database, brokers, topic, group),
        ["relay", var uri, var database, var brokers, var marks] =>
            RelayAsync(uri, database, brokers, int.Parse(marks, System.Globalization.CultureInfo.InvariantCulture)),
        _ => throw new ArgumentException("inbox, store or relay"),
    };

    private static async Task HandleAsync(IMongoDatabase database)
    {
        var inbox = await StartAsync(database);
        await Console.Out.WriteLineAsync("ready");
        var first = int.Parse(await Console.In.ReadLineAsync() ?? "0", System.Globalization.CultureInfo.InvariantCulture);
        EndWithParent.Watch();
        for (var number = first; ; number++)
        {
            await HandleAsync(inbox, database, number);
        }
    }

    private static async Task StoreAsync(string uri, string database, string brokers, string topic, string group)
    {
        EndWithParent.Watch();
        var builder = Host.CreateEmptyApplicationBuilder(settings: null);
        builder.Services.AddNaradKafka(options =>
            {
                (options.Mode, options.Brokers, options.ClientId) = (KafkaMode.Kafka, brokers, "narad-killed");
                (options.SessionTimeout, options.CommitInterval) = (TimeSpan.FromSeconds(2), TimeSpan.FromMilliseconds(50));
            })
            .AddMongo(uri, options => options.Database = database)
            .StoreInMongo<Event>(topic, "events", group: group, store: static options => options.IdProperty = "id",
                configure: static options => (options.MaxBatchSize, options.MaxBatchWait) = (20, TimeSpan.FromMilliseconds(20)));
        using var host = builder.Build();
        await host.StartAsync();
        await Console.Out.WriteLineAsync("ready");
        await host.WaitForShutdownAsync();
    }

    private static async Task RelayAsync(string uri, string database, string brokers, int marks)
    {
        EndWithParent.Watch();
        var client = new MongoClient(uri);
        var connection = new MongoConnection(() => client.GetDatabase(database), new MongoOptions(), NullLogger<MongoConnection>.Instance);
        var builder = Host.CreateEmptyApplicationBuilder(settings: null);
        builder.Services.AddNaradKafka(options => (options.Mode, options.Brokers, options.ClientId) = (KafkaMode.Kafka, brokers, "narad-killed"))
            .AddOutbox(options =>
            {
                (options.LeaseDuration, options.PollInterval) = (TimeSpan.FromSeconds(2), TimeSpan.FromMilliseconds(100));
                options.Store = new FaultyOutboxStore(new MongoOutboxStore(connection, TimeProvider.System))
                {
                    Before = name =>
                    {
                        if (name is nameof(IOutboxStore.MarkDispatchedAsync) && Interlocked.Decrement(ref marks) == 0)
                        {
                            Process.GetCurrentProcess().Kill();
                        }
                    },
                };
            });
        using var host = builder.Build();
        await host.StartAsync();
        await Console.Out.WriteLineAsync("ready");
        await host.WaitForShutdownAsync();
    }

    public static async Task<IInbox> StartAsync(IMongoDatabase database)
    {
        var inbox = new MongoInbox(new MongoConnection(() => database, new MongoOptions(), NullLogger<MongoConnection>.Instance), TimeProvider.System);
        await inbox.StartAsync(new InboxSubscription("orders", "g", null, TimeSpan.FromDays(1)), CancellationToken.None);
        return inbox;
    }

    /// <summary>As the consumer does: what is busy is asked again.</summary>
    public static async Task HandleAsync(IInbox inbox, IMongoDatabase database, int number)
    {
        var effects = database.GetCollection<BsonDocument>("effects");
        while ((await inbox.HandleAsync(
            MessageOf(number),
            (session, token) => effects.InsertOneAsync((IClientSessionHandle)session!, new BsonDocument("number", number), cancellationToken: token),
            CancellationToken.None)).Kind is InboxResultKind.Busy)
        {
            await Task.Delay(20);
        }
    }
}
