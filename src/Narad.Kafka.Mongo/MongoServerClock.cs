using MongoDB.Bson;
using MongoDB.Driver;

namespace Narad.Kafka.Mongo;

/// <summary>Updates that measure time by the server's clock, so that a client's wrong clock changes nothing.</summary>
internal static class MongoServerClock
{
    /// <summary>The server's time, in updates and in aggregations.</summary>
    public const string Now = "$$NOW";

    /// <summary>The server's time and then some.</summary>
    public static BsonDocument After(TimeSpan time) => new("$add", new BsonArray { Now, (long)time.TotalMilliseconds });

    /// <summary>A filter: a field's time is yet to come.</summary>
    public static BsonElement IsAhead(string field) => new("$expr", new BsonDocument("$gt", new BsonArray { $"${field}", Now }));

    /// <summary>A filter: a field's time has come, or the field is missing.</summary>
    public static BsonElement IsPast(string field) => new("$expr", new BsonDocument("$lte", new BsonArray { $"${field}", Now }));

    /// <summary>An update in stages, which may name <see cref="Now"/>.</summary>
    public static PipelineUpdateDefinition<BsonDocument> Update(params BsonDocument[] stages) =>
        new(PipelineDefinition<BsonDocument, BsonDocument>.Create(stages));
}
