using MongoDB.Bson;
using MongoDB.Driver;

namespace Narad.Kafka.Mongo;

/// <summary>The documents of the outbox, and the indexes that its queries use.</summary>
/// <remarks>
/// A row: <c>{ _id, state: "pending" | "dispatched" | "setAside", bucket, sequence, fence, keyHash, topic, key, value, headers: [{ name, value }], partition,
/// timestamp, attempts, enqueuedAt, dispatchedAt, setAsideAt, reason, holdsKey }</c>; what does not apply is left out. Only a dispatched row has
/// <c>dispatchedAt</c>, by which it expires.
/// </remarks>
internal static class MongoOutboxRows
{
    public const string State = "state";
    public const string Pending = "pending";
    public const string Dispatched = "dispatched";
    public const string SetAside = "setAside";

    public const string Bucket = "bucket";
    public const string Sequence = "sequence";
    public const string Fence = "fence";
    public const string KeyHash = "keyHash";
    public const string Attempts = "attempts";
    public const string Reason = "reason";
    public const string HoldsKey = "holdsKey";
    public const string EnqueuedAt = "enqueuedAt";
    public const string DispatchedAt = "dispatchedAt";
    public const string SetAsideAt = "setAsideAt";

    private const string Topic = "topic";
    private const string Key = "key";
    private const string Value = "value";
    private const string Headers = "headers";
    private const string Name = "name";
    private const string Partition = "partition";
    private const string Timestamp = "timestamp";

    /// <summary>Serves what relays poll: the buckets with pending rows, and a bucket's rows in their order, without those of some keys.</summary>
    public static CreateIndexModel<BsonDocument> PendingIndex { get; } = Index(Pending, new BsonDocument { { Bucket, 1 }, { Sequence, 1 }, { KeyHash, 1 } });

    /// <summary>Serves what asks for the rows that were set aside, and for the keys that they hold.</summary>
    public static CreateIndexModel<BsonDocument> SetAsideIndex { get; } = Index(SetAside, new BsonDocument { { Bucket, 1 }, { KeyHash, 1 } });

    public static BsonDocument Create(OutboxMessage message, long sequence, DateTime enqueuedAt)
    {
        var row = new BsonDocument
        {
            { "_id", message.Id },
            { State, Pending },
            { Bucket, message.Bucket },
            { Sequence, sequence },
            { Fence, 0L },
            { KeyHash, message.KeyHash },
            { Topic, message.Topic },
            { Headers, new BsonArray(message.Headers.Select(static header => new BsonDocument { { Name, header.Name }, { Value, Binary(header.Value) } })) },
            { Attempts, 0 },
            { EnqueuedAt, enqueuedAt },
        };
        Add(Key, message.Key);
        Add(Value, message.Value);
        Add(Partition, message.Partition);
        Add(Timestamp, message.Timestamp?.UtcDateTime);
        return row;

        void Add(string field, object? value)
        {
            if (value is not null)
            {
                row.Add(field, BsonValue.Create(value));
            }
        }
    }

    /// <summary>Rows that a relay may change: they are pending, and no relay has taken them over since it took its lease.</summary>
    public static BsonDocument Mine(OutboxLease lease, BsonValue id) => new()
    {
        { "_id", id },
        { State, Pending },
        { Fence, new BsonDocument("$lte", lease.Fence) },
    };

    /// <summary>The fields of a row that say where it is in its key.</summary>
    public static BsonDocument OrderOnly => new() { { "_id", 0 }, { Sequence, 1 }, { KeyHash, 1 } };

    public static OutboxRow Read(BsonDocument row) =>
        new(MessageOf(row), row[Sequence].ToInt64(), row[Attempts].ToInt32(), TimeOf(row[EnqueuedAt]));

    public static SetAsideMessage ReadSetAside(BsonDocument row) => new(MessageOf(row), row[Attempts].ToInt32(), row[Reason].AsString, row[HoldsKey].AsBoolean,
        TimeOf(row[EnqueuedAt]), TimeOf(row[SetAsideAt]));

    private static OutboxMessage MessageOf(BsonDocument row) => new()
    {
        Id = row["_id"].AsString,
        Topic = row[Topic].AsString,
        Bucket = row[Bucket].ToInt32(),
        KeyHash = row[KeyHash].ToInt64(),
        Key = row.TryGetValue(Key, out var key) ? key.AsByteArray : null,
        Value = row.TryGetValue(Value, out var value) ? value.AsByteArray : null,
        Headers = new MessageHeaders(row[Headers].AsBsonArray.Select(static header =>
            new MessageHeader(header[Name].AsString, header[Value].IsBsonNull ? null : header[Value].AsByteArray))),
        Partition = row.TryGetValue(Partition, out var partition) ? partition.ToInt32() : (int?)null,
        Timestamp = row.TryGetValue(Timestamp, out var timestamp) ? TimeOf(timestamp) : null,
    };

    private static DateTimeOffset TimeOf(BsonValue value) => new(value.ToUniversalTime());

    private static BsonValue Binary(byte[]? value) => value is null ? BsonNull.Value : new BsonBinaryData(value);

    private static CreateIndexModel<BsonDocument> Index(string state, BsonDocument keys) =>
        new(keys, new CreateIndexOptions<BsonDocument> { Name = state, PartialFilterExpression = new BsonDocument(State, state) });
}
