using System.Globalization;
using System.Text;
using MongoDB.Bson;
using MongoDB.Driver;

namespace Narad.Kafka.Mongo.Tests;

/// <summary>Messages as the outbox hands them to its store, and what tests do with stores.</summary>
internal static class OutboxMessages
{
    public const string Rows = "kafka_outbox";
    public const string State = "kafka_outbox_state";

    public static readonly TimeSpan Lease = TimeSpan.FromMinutes(10);

    public static OutboxMessage Create(int number = 0, int bucket = 0, long keyHash = 1, string topic = "orders") => new()
    {
        Id = Guid.CreateVersion7().ToString(),
        Topic = topic,
        Bucket = bucket,
        KeyHash = keyHash,
        Key = "k"u8.ToArray(),
        Value = Encoding.UTF8.GetBytes(number.ToString(CultureInfo.InvariantCulture)),
        Headers = new MessageHeaders().Add("message-id", "x"),
    };

    public static int NumberOf(OutboxRow row) => int.Parse(Encoding.UTF8.GetString(row.Message.Value!), CultureInfo.InvariantCulture);

    public static async Task<MongoOutboxStore> StartStoreAsync(
        this TestDatabase database, TimeSpan? retention = null, IMongoDatabase? through = null, TimeProvider? time = null)
    {
        var store = new MongoOutboxStore(database.Connect(database: through), time ?? TimeProvider.System);
        await store.StartAsync(retention ?? TimeSpan.FromDays(1), CancellationToken.None);
        return store;
    }

    public static async Task<OutboxLease> AcquireAsync(this IOutboxStore store, string relay = "r-1", int bucket = 0, TimeSpan? duration = null)
    {
        var lease = await store.TryAcquireAsync(relay, bucket, duration ?? Lease, CancellationToken.None);
        lease.Should().NotBeNull();
        return lease!;
    }

    public static async Task<IReadOnlyList<OutboxRow>> ReadAsync(this IOutboxStore store, OutboxLease lease, params long[] except) =>
        await store.ReadPendingAsync(lease, except, 1_000, CancellationToken.None);

    public static Task EnqueueAsync(this IOutboxStore store, IClientSessionHandle? session, params OutboxMessage[] messages) =>
        store.EnqueueAsync(messages, session, CancellationToken.None);

    public static Task<long> CountAsync(this TestDatabase database, string state) =>
        database.Collection(Rows).CountDocumentsAsync(new BsonDocument("state", state));
}
