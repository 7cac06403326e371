using Microsoft.Extensions.Logging.Abstractions;
using MongoDB.Bson;
using MongoDB.Driver;
using Narad.Kafka.Mongo;

namespace Narad.Kafka.Mongo.Tests;

/// <summary>Handles messages through the inbox until it is killed: <c>URI DATABASE</c>; the first message's number comes on standard input.</summary>
internal static class Program
{
    public static InboxMessage MessageOf(int number) =>
        new("g", "orders", $"m-{number}", new TopicPartitionOffsetId("orders", 0, number), TimeSpan.FromDays(1));

    public static async Task Main(string[] arguments)
    {
        var database = new MongoClient(arguments[0]).GetDatabase(arguments[1]);
        var inbox = await StartAsync(database);
        await Console.Out.WriteLineAsync("ready");
        var first = int.Parse(await Console.In.ReadLineAsync() ?? "0", System.Globalization.CultureInfo.InvariantCulture);
        for (var number = first; ; number++)
        {
            await HandleAsync(inbox, database, number);
        }
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
