using MongoDB.Bson;
using MongoDB.Driver;
using static Narad.Kafka.Mongo.MongoServerClock;

namespace Narad.Kafka.Mongo;

/// <summary>Which relay works on which bucket, by the server's clock. Thread-safe.</summary>
/// <remarks>
/// One document for each bucket, <c>{ _id: 0 … 63, relay, claim, fence, expiresAt }</c>, without <c>expiresAt</c> where nobody holds it, and one for each
/// relay that lives, <c>{ _id: "relay-…", expiresAt }</c>.
/// </remarks>
internal sealed class MongoOutboxLeases(MongoConnection connection, Func<IMongoCollection<BsonDocument>> state)
{
    private const string Relay = "relay";
    private const string Claim = "claim";
    private const string Fence = "fence";
    private const string ExpiresAt = "expiresAt";
    private const string RelayPrefix = "relay-";

    // Relays' ids only: the counter is a text too.
    private static BsonDocument AllRelays => new("_id", new BsonDocument { { "$gte", RelayPrefix }, { "$lt", "relay." } });

    private static BsonDocument AllBuckets => new("_id", new BsonDocument { { "$gte", 0 }, { "$lt", OutboxMessage.BucketCount } });

    /// <summary>Creates the buckets' documents where they are missing.</summary>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        var found = await connection.RunAsync("count the buckets of the outbox",
            token => state().CountDocumentsAsync(AllBuckets, cancellationToken: token), cancellationToken).ConfigureAwait(false);
        if (found == OutboxMessage.BucketCount)
        {
            return;
        }

        try
        {
            var buckets = Enumerable.Range(0, OutboxMessage.BucketCount).Select(static bucket => new BsonDocument { { "_id", bucket }, { Fence, 0L } });
            await connection.RunAsync("create the buckets of the outbox",
                token => state().InsertManyAsync(buckets, new InsertManyOptions { IsOrdered = false }, token), cancellationToken).ConfigureAwait(false);
        }
        catch (MongoBulkWriteException error) when (error.WriteErrors.All(MongoErrors.IsDuplicateId))
        {
            // Another process did.
        }
    }

    public async Task<OutboxMembership> HeartbeatAsync(string relay, TimeSpan duration, CancellationToken cancellationToken)
    {
        var renewed = Update(new BsonDocument("$set", new BsonDocument(ExpiresAt, After(duration))));
        WriteModel<BsonDocument>[] writes =
        [
            new UpdateOneModel<BsonDocument>(new BsonDocument("_id", RelayPrefix + relay), renewed) { IsUpsert = true },
            new UpdateManyModel<BsonDocument>(new BsonDocument(AllBuckets) { { Relay, relay }, IsAhead(ExpiresAt) }, renewed),
            new DeleteManyModel<BsonDocument>(new BsonDocument(AllRelays) { IsPast(ExpiresAt) }),
        ];
        await connection.RunToAnswerAsync("renew the leases of a relay", token => state().BulkWriteAsync(writes, cancellationToken: token), cancellationToken)
            .ConfigureAwait(false);
        var found = await ReadAsync(cancellationToken).ConfigureAwait(false);
        var held = new List<OutboxLease>();
        var free = Enumerable.Range(0, OutboxMessage.BucketCount).ToHashSet();
        foreach (var lease in found.Where(static one => one["_id"].IsInt32))
        {
            var one = LeaseOf(lease);
            free.Remove(one.Bucket);
            if (string.Equals(one.Relay, relay, StringComparison.Ordinal))
            {
                held.Add(one);
            }
        }

        return new OutboxMembership(found.Count(static one => one["_id"].IsString), held, [.. free.Order()]);
    }

    public async Task<OutboxLease?> TryAcquireAsync(string relay, int bucket, TimeSpan duration, CancellationToken cancellationToken)
    {
        // Tells whether it was this call that took it: the relay may hold it already.
        var claim = Guid.NewGuid().ToString("N");
        var isFree = new BsonDocument("$lte", new BsonArray { new BsonDocument("$ifNull", new BsonArray { $"${ExpiresAt}", Now }), Now });
        var fence = new BsonDocument("$add", new BsonArray { new BsonDocument("$ifNull", new BsonArray { $"${Fence}", 0L }), 1L });
        BsonElement Take(string field, BsonValue value) => new(field, new BsonDocument("$cond", new BsonArray { isFree, value, $"${field}" }));
        var update = Update(new BsonDocument("$set",
            new BsonDocument { Take(Relay, relay), Take(Claim, claim), Take(Fence, fence), Take(ExpiresAt, After(duration)) }));
        try
        {
            var lease = await connection.RunToAnswerAsync(
                "take a bucket of the outbox",
                token => state().FindOneAndUpdateAsync<BsonDocument>(new BsonDocument("_id", bucket), update,
                    new FindOneAndUpdateOptions<BsonDocument> { IsUpsert = true, ReturnDocument = ReturnDocument.After }, token),
                cancellationToken).ConfigureAwait(false);
            return lease[Claim] == claim ? new OutboxLease(bucket, relay, lease[Fence].ToInt64()) : null;
        }
        catch (StoreUnavailableException error) when (error.InnerException is MongoException cause && MongoErrors.IsDuplicateId(cause))
        {
            return null;   // the first two relays of a database met
        }
    }

    public Task ReleaseAsync(OutboxLease lease, CancellationToken cancellationToken) => connection.RunToAnswerAsync(
        "release a bucket of the outbox",
        token => state().UpdateOneAsync(Of(lease), new BsonDocument("$unset", new BsonDocument { { Relay, "" }, { ExpiresAt, "" } }), cancellationToken: token),
        cancellationToken);

    public Task LeaveAsync(string relay, CancellationToken cancellationToken)
    {
        WriteModel<BsonDocument>[] writes =
        [
            new UpdateManyModel<BsonDocument>(new BsonDocument(AllBuckets) { { Relay, relay } },
                new BsonDocument("$unset", new BsonDocument { { Relay, "" }, { ExpiresAt, "" } })),
            new DeleteOneModel<BsonDocument>(new BsonDocument("_id", RelayPrefix + relay)),
        ];
        return connection.RunToAnswerAsync("release the buckets of a relay", token => state().BulkWriteAsync(writes, cancellationToken: token),
            cancellationToken);
    }

    /// <summary>Which of these leases are in force.</summary>
    public Task<HashSet<OutboxLease>> FindInForceAsync(IReadOnlyCollection<OutboxLease> leases, CancellationToken cancellationToken) =>
        connection.RunToAnswerAsync(
            "check leases of the outbox",
            async token =>
            {
                var filter = new BsonDocument("_id", new BsonDocument("$in", new BsonArray(leases.Select(static lease => lease.Bucket).Distinct())))
                {
                    IsAhead(ExpiresAt),
                };
                using var cursor = await state().FindAsync(filter, cancellationToken: token).ConfigureAwait(false);
                var found = await cursor.ToListAsync(token).ConfigureAwait(false);
                return found.Select(static one => LeaseOf(one)).Intersect(leases).ToHashSet();
            },
            cancellationToken);

    private static OutboxLease LeaseOf(BsonDocument bucket) => new(bucket["_id"].AsInt32, bucket[Relay].AsString, bucket[Fence].ToInt64());

    private static BsonDocument Of(OutboxLease lease) => new() { { "_id", lease.Bucket }, { Relay, lease.Relay }, { Fence, lease.Fence } };

    // The leases that are in force, and the relays that live.
    private Task<List<BsonDocument>> ReadAsync(CancellationToken cancellationToken) => connection.RunToAnswerAsync(
        "read the leases of the outbox",
        async token =>
        {
            var filter = new BsonDocument("$or",
                new BsonArray { new BsonDocument(AllBuckets) { IsAhead(ExpiresAt) }, new BsonDocument(AllRelays) { IsAhead(ExpiresAt) } });
            using var cursor = await state().FindAsync(filter, cancellationToken: token).ConfigureAwait(false);
            return await cursor.ToListAsync(token).ConfigureAwait(false);
        },
        cancellationToken);
}
