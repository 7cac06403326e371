using MongoDB.Bson;
using MongoDB.Driver;

namespace Narad.Kafka.Mongo;

/// <summary>Marks rows of the outbox as dispatched, or deletes them: those of all buckets that ask at once with one command. Thread-safe.</summary>
internal sealed class MongoOutboxMarks
{
    private static readonly UpdateDefinition<BsonDocument> Dispatched =
        Builders<BsonDocument>.Update.Set(MongoOutboxRows.State, MongoOutboxRows.Dispatched).CurrentDate(MongoOutboxRows.DispatchedAt);

    private readonly MongoConnection _connection;
    private readonly Func<IMongoCollection<BsonDocument>> _rows;
    private readonly MongoOutboxLeases _leases;
    private readonly SharedRequest<Mark, int> _marks;

    public MongoOutboxMarks(MongoConnection connection, Func<IMongoCollection<BsonDocument>> rows, MongoOutboxLeases leases)
    {
        _connection = connection;
        _rows = rows;
        _leases = leases;
        _marks = new SharedRequest<Mark, int>(MarkAsync);
    }

    /// <summary>Whether dispatched rows are kept.</summary>
    public bool KeepsDispatched { get; set; } = true;

    /// <summary>Marks rows that are pending, where the lease is in force.</summary>
    /// <returns>How many were marked.</returns>
    public Task<int> MarkAsync(OutboxLease lease, IReadOnlyList<OutboxRow> rows, CancellationToken cancellationToken) =>
        _marks.CallAsync(new Mark(lease, [.. rows.Select(static row => row.Message.Id)]), cancellationToken);

    private async Task<IReadOnlyList<int>> MarkAsync(IReadOnlyList<Mark> marks)
    {
        var inForce = await _leases.FindInForceAsync([.. marks.Select(static mark => mark.Lease)], CancellationToken.None).ConfigureAwait(false);
        var changes = marks.Where(mark => inForce.Contains(mark.Lease)).ToList();
        if (changes.Count == 0)
        {
            return new int[marks.Count];
        }

        var changed = await ChangeAsync(changes).ConfigureAwait(false);
        if (changed == changes.Sum(static mark => mark.Ids.Count))
        {
            return [.. marks.Select(mark => inForce.Contains(mark.Lease) ? mark.Ids.Count : 0)];
        }

        // One of them lost its lease since then. With a single one the answer says enough; of several it does not say which.
        var left = changes.Count == 1 ? [] : await FindPendingAsync(changes).ConfigureAwait(false);
        return [.. marks.Select(mark => !inForce.Contains(mark.Lease) ? 0 : changes.Count == 1 ? (int)changed : mark.Ids.Count(id => !left.Contains(id)))];
    }

    private async Task<long> ChangeAsync(IEnumerable<Mark> marks)
    {
        var changes = marks.Select<Mark, WriteModel<BsonDocument>>(mark =>
        {
            var mine = MongoOutboxRows.Mine(mark.Lease, new BsonDocument("$in", new BsonArray(mark.Ids)));
            return KeepsDispatched ? new UpdateManyModel<BsonDocument>(mine, Dispatched) : new DeleteManyModel<BsonDocument>(mine);
        }).ToList();
        var result = await _connection.RunToAnswerAsync("mark messages as dispatched",
            token => _rows().BulkWriteAsync(changes, new BulkWriteOptions { IsOrdered = false }, token), CancellationToken.None).ConfigureAwait(false);
        return result.ModifiedCount + result.DeletedCount;
    }

    private Task<HashSet<string>> FindPendingAsync(IEnumerable<Mark> marks) => _connection.RunToAnswerAsync(
        "read the outbox",
        async token =>
        {
            var filter = new BsonDocument
            {
                { "_id", new BsonDocument("$in", new BsonArray(marks.SelectMany(static mark => mark.Ids))) },
                { MongoOutboxRows.State, MongoOutboxRows.Pending },
            };
            var options = new FindOptions<BsonDocument> { Projection = new BsonDocument("_id", 1) };
            using var cursor = await _rows().FindAsync(filter, options, token).ConfigureAwait(false);
            return (await cursor.ToListAsync(token).ConfigureAwait(false)).Select(static row => row["_id"].AsString).ToHashSet(StringComparer.Ordinal);
        },
        CancellationToken.None);

    private sealed record Mark(OutboxLease Lease, IReadOnlyList<string> Ids);
}
