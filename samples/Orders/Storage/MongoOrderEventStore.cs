using MongoDB.Bson;
using MongoDB.Driver;
using Narad.Kafka;
using Orders.Events;

namespace Orders.Storage;

/// <summary>
/// Collections <c>order-events</c>, a document an event (<c>{orderId, version, type, timestamp, event: "{…}"}</c>, where <c>event</c> is the JSON of the
/// topic), and <c>order-keys</c>, the idempotency keys. A unique index of order and version lets one of two writers win. Thread-safe.
/// </summary>
internal sealed class MongoOrderEventStore(OrdersDatabase database, IOutbox outbox, TimeProvider time) : IOrderEventStore
{
    public const string EventsCollection = "order-events";
    public const string KeysCollection = "order-keys";
    public const string OrderId = "orderId";
    public const string Version = "version";
    public const string Json = "event";

    private readonly IMongoCollection<BsonDocument> _events = database.Collection(EventsCollection);
    private readonly IMongoCollection<BsonDocument> _keys = database.Collection(KeysCollection);

    public string Name => "MongoDB";

    public async Task<IReadOnlyList<OrderEvent>> ReadAsync(string orderId, CancellationToken cancellationToken)
    {
        var found = await database.ReadAsync(
            _events, new BsonDocument(OrderId, orderId), Builders<BsonDocument>.Sort.Ascending(Version), limit: null, cancellationToken);
        return found.ConvertAll(static document => OrderJson.Read(document[Json].AsString));
    }

    public async Task<Creation> CreateAsync(string orderId, OrderCreated created, string? idempotencyKey, CancellationToken cancellationToken)
    {
        if (idempotencyKey is null)
        {
            await AppendAsync(orderId, expectedVersion: 0, [created], cancellationToken);
            return new Creation(orderId, IsNew: true);
        }

        var content = OrderJson.ContentOf(created);
        if (await FindAsync(idempotencyKey, content, cancellationToken) is { } earlier)
        {
            return earlier;
        }

        try
        {
            return await database.InTransactionAsync(
                async (session, token) =>
                {
                    var key = new BsonDocument { { "_id", idempotencyKey }, { OrderId, orderId }, { "content", content } };
                    await _keys.InsertOneAsync(session, key, cancellationToken: token);
                    await AppendAsync(session, orderId, expectedVersion: 0, [created], token);
                    return new Creation(orderId, IsNew: true);
                },
                cancellationToken);
        }
        catch (MongoException failure) when (OrdersDatabase.IsDuplicate(failure))
        {
            // The same request came twice at once.
            return await FindAsync(idempotencyKey, content, cancellationToken) ?? throw new StoreUnavailableException("The key has just expired.", failure);
        }
    }

    public Task<IReadOnlyList<OrderEvent>> AppendAsync(
        string orderId, int expectedVersion, IReadOnlyList<OrderEvent> events, CancellationToken cancellationToken) =>
        database.InTransactionAsync((session, token) => AppendAsync(session, orderId, expectedVersion, events, token), cancellationToken);

    private async Task<IReadOnlyList<OrderEvent>> AppendAsync(
        IClientSessionHandle session, string orderId, int expectedVersion, IReadOnlyList<OrderEvent> events, CancellationToken cancellationToken)
    {
        var last = await _events.Find(session, new BsonDocument(OrderId, orderId)).Sort(Builders<BsonDocument>.Sort.Descending(Version)).Limit(1)
            .FirstOrDefaultAsync(cancellationToken);
        if ((last?[Version].AsInt32 ?? 0) != expectedVersion)
        {
            throw new OrderConflictException(orderId, expectedVersion);
        }

        var next = OrderEvents.Number(events, orderId, expectedVersion, time);
        try
        {
            await _events.InsertManyAsync(session, next.Select(Document), cancellationToken: cancellationToken);
        }
        catch (MongoException failure) when (OrdersDatabase.IsDuplicate(failure))
        {
            throw new OrderConflictException(orderId, expectedVersion);
        }

        await outbox.WithSession(session).EnqueueManyAsync(next, cancellationToken: cancellationToken);
        return next;
    }

    private async Task<Creation?> FindAsync(string idempotencyKey, string content, CancellationToken cancellationToken)
    {
        if (await database.FindAsync(_keys, idempotencyKey, cancellationToken) is not { } found)
        {
            return null;
        }

        return found["content"].AsString == content
            ? new Creation(found[OrderId].AsString, IsNew: false)
            : throw new IdempotencyKeyException(idempotencyKey);
    }

    private static BsonDocument Document(OrderEvent stored)
    {
        var json = OrderJson.Write(stored);
        return new BsonDocument
        {
            { OrderId, stored.OrderId }, { Version, stored.Version }, { "type", OrderJson.TypeOf(json) }, { "timestamp", stored.Timestamp.UtcDateTime },
            { Json, json },
        };
    }
}
