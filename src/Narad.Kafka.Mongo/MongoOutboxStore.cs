using MongoDB.Bson;
using MongoDB.Driver;

namespace Narad.Kafka.Mongo;

/// <summary>An outbox in MongoDB. Thread-safe.</summary>
/// <remarks>
/// <para>Rows are in <see cref="MongoOptions.OutboxCollection"/>, leases and the counter in a collection of that name and <c>_state</c>.</para>
/// <para>A relay's change of a row is one update, which expects a pending row with a fence no higher than the lease's. Before its first read, the next holder
/// of a bucket raises the fence of all rows that are pending there, so that a change of the former holder is either done before that read, or changes nothing.
/// Rows that are written later, the former holder can have read only after its lease was gone, which its change finds out first.</para>
/// </remarks>
internal sealed class MongoOutboxStore : IOutboxStore
{
    // Whether rows that were set aside hold keys of a bucket: none did when it was taken, nobody has asked since then, or this relay has set some aside.
    private const int AreNone = 0;
    private const int AreUnknown = 1;
    private const int MayBeSome = 2;

    private readonly MongoConnection _connection;
    private readonly MongoOutboxSequence _sequence;
    private readonly MongoOutboxWriter _writer;
    private readonly MongoOutboxLeases _leases;
    private readonly MongoOutboxMarks _marks;
    private readonly MongoOutboxWatch _watch;

    // By bucket: the fence that its pending rows have at least. Written by the holder of its lease.
    private readonly long[] _fences = new long[OutboxMessage.BucketCount];

    // By bucket: AreNone, AreUnknown or MayBeSome. Interlocked.
    private readonly int[] _heldKeys = new int[OutboxMessage.BucketCount];

    public MongoOutboxStore(MongoConnection connection, TimeProvider time)
    {
        _connection = connection;
        _sequence = new MongoOutboxSequence(connection, () => State);
        _writer = new MongoOutboxWriter(connection, () => Rows, _sequence);
        _leases = new MongoOutboxLeases(connection, () => State);
        _marks = new MongoOutboxMarks(connection, () => Rows, _leases);
        _watch = new MongoOutboxWatch(connection, () => Rows, _sequence, time);
    }

    /// <summary>What signals that something was committed.</summary>
    public MongoOutboxWakeUp WakeUp => _watch.WakeUp;

    private IMongoCollection<BsonDocument> Rows => _connection.Collection<BsonDocument>(_connection.Options.OutboxCollection);

    private IMongoCollection<BsonDocument> State => _connection.Collection<BsonDocument>(StateCollection);

    private string StateCollection => _connection.Options.OutboxCollection + "_state";

    // What a failover may undo is not sent.
    private IMongoCollection<BsonDocument> CommittedRows => Rows.WithReadConcern(ReadConcern.Majority);

    public async Task<OutboxGuarantee> StartAsync(TimeSpan retention, CancellationToken cancellationToken)
    {
        var options = _connection.Options;
        var description = await _connection.DescribeAsync(cancellationToken).ConfigureAwait(false);
        if (options.UseTransactions is true && !description.HasTransactions)
        {
            throw new KafkaConfigurationException([
                "MongoOptions.UseTransactions = true, and the server is a standalone one, which has no transactions. Connect to a replica set (one member is "
                    + "enough: start it with --replSet and call rs.initiate()), or leave UseTransactions out.",
            ]);
        }

        await MongoIndexes.EnsureExpiryAsync(_connection, options.OutboxCollection, MongoOutboxRows.DispatchedAt, retention, cancellationToken)
            .ConfigureAwait(false);
        foreach (var index in new[] { MongoOutboxRows.PendingIndex, MongoOutboxRows.SetAsideIndex })
        {
            await MongoIndexes.EnsureAsync(_connection, options.OutboxCollection, index, cancellationToken).ConfigureAwait(false);
        }

        await MongoIndexes.CreateCollectionAsync(_connection, StateCollection, cancellationToken).ConfigureAwait(false);
        await _leases.StartAsync(cancellationToken).ConfigureAwait(false);
        _marks.KeepsDispatched = retention > TimeSpan.Zero;
        return description.HasTransactions ? OutboxGuarantee.Transactional : OutboxGuarantee.AtLeastOnce;
    }

    public async Task EnqueueAsync(IReadOnlyList<OutboxMessage> messages, object? session, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(messages);
        if (TransactionOf(session) is { } transaction)
        {
            await _writer.WriteAsync(transaction, messages, cancellationToken).ConfigureAwait(false);
            return;
        }

        await _writer.WriteAsync(messages, cancellationToken).ConfigureAwait(false);
        _watch.Stored(messages);
    }

    public Task<OutboxMembership> HeartbeatAsync(string relay, TimeSpan duration, CancellationToken cancellationToken) =>
        _leases.HeartbeatAsync(relay, duration, cancellationToken);

    public Task<OutboxLease?> TryAcquireAsync(string relay, int bucket, TimeSpan duration, CancellationToken cancellationToken) =>
        _leases.TryAcquireAsync(relay, bucket, duration, cancellationToken);

    public Task ReleaseAsync(OutboxLease lease, CancellationToken cancellationToken) => _leases.ReleaseAsync(lease, cancellationToken);

    public Task LeaveAsync(string relay, CancellationToken cancellationToken) => _leases.LeaveAsync(relay, cancellationToken);

    // One look into the index for each bucket, however many rows are pending.
    public async Task<IReadOnlyCollection<int>> FindPendingBucketsAsync(IReadOnlyCollection<int> buckets, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(buckets);
        var found = await _connection.RunToAnswerAsync(
            "look for pending messages",
            async token =>
            {
                using var cursor = await State.WithReadConcern(ReadConcern.Majority).AggregateAsync<BsonDocument>(
                    PendingBuckets(_connection.Options.OutboxCollection, buckets), cancellationToken: token).ConfigureAwait(false);
                return await cursor.ToListAsync(token).ConfigureAwait(false);
            },
            cancellationToken).ConfigureAwait(false);
        return [.. found.Select(static one => one["_id"].AsInt32)];
    }

    public async Task<IReadOnlyList<OutboxRow>> ReadPendingAsync(
        OutboxLease lease, IReadOnlyCollection<long> exceptKeys, int limit, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(lease);
        ArgumentNullException.ThrowIfNull(exceptKeys);
        await RaiseFenceAsync(lease, cancellationToken).ConfigureAwait(false);
        var except = exceptKeys.ToHashSet();
        if (Volatile.Read(ref _heldKeys[lease.Bucket]) is not AreNone)
        {
            var held = await FindHeldKeysAsync(lease.Bucket, cancellationToken).ConfigureAwait(false);
            except.UnionWith(held);
            if (held.Count == 0)
            {
                Interlocked.CompareExchange(ref _heldKeys[lease.Bucket], AreNone, AreUnknown);
            }
        }

        var rows = await FindAsync(CommittedRows, PendingRows(lease.Bucket, except), PendingOrder, limit, cancellationToken).ConfigureAwait(false);
        if (rows.Count == 0)
        {
            return [];
        }

        // A query is no snapshot: its scan may pass a number whose row is not committed yet, and reach a higher one of that key which was committed after it.
        // Whatever was committed before any of the rows is seen by a query that begins now.
        var upTo = await FindAsync(
            CommittedRows, PendingRowsUpTo(lease.Bucket, rows[^1][MongoOutboxRows.Sequence].ToInt64(), except), PendingOrder, limit: null, cancellationToken,
            MongoOutboxRows.OrderOnly).ConfigureAwait(false);
        var pending = WithoutOvertaking(
            rows.ConvertAll(MongoOutboxRows.Read),
            upTo.Select(static row => (row[MongoOutboxRows.KeyHash].ToInt64(), row[MongoOutboxRows.Sequence].ToInt64())));
        _watch.NoteRead(pending);
        return pending;
    }

    public Task<int> MarkDispatchedAsync(OutboxLease lease, IReadOnlyList<OutboxRow> rows, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(lease);
        ArgumentNullException.ThrowIfNull(rows);
        return _marks.MarkAsync(lease, rows, cancellationToken);
    }

    public async Task<bool> RecordRefusalAsync(OutboxLease lease, OutboxRow row, string reason, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(row);
        var update = Builders<BsonDocument>.Update.Inc(MongoOutboxRows.Attempts, 1).Set(MongoOutboxRows.Reason, reason);
        return await ChangeAsync(lease, row, "note a refused message", update, cancellationToken).ConfigureAwait(false);
    }

    public async Task<bool> SetAsideAsync(OutboxLease lease, OutboxRow row, string reason, bool holdsKey, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(lease);
        ArgumentNullException.ThrowIfNull(row);
        var update = Builders<BsonDocument>.Update.Set(MongoOutboxRows.State, MongoOutboxRows.SetAside).Inc(MongoOutboxRows.Attempts, 1)
            .Set(MongoOutboxRows.Reason, reason).Set(MongoOutboxRows.HoldsKey, holdsKey).CurrentDate(MongoOutboxRows.SetAsideAt);

        // For as long as the lease lasts: a read beside this update does not find it yet, and where its answer is lost it may come later.
        Volatile.Write(ref _heldKeys[lease.Bucket], MayBeSome);
        return await ChangeAsync(lease, row, "set a message aside", update, cancellationToken).ConfigureAwait(false);
    }

    public async Task<OutboxStatistics> GetStatisticsAsync(CancellationToken cancellationToken)
    {
        var found = await _connection.RunToAnswerAsync(
            "count the messages of the outbox",
            async token =>
            {
                using var cursor = await Rows.AggregateAsync<BsonDocument>(PendingStatistics, cancellationToken: token).ConfigureAwait(false);
                return await cursor.FirstOrDefaultAsync(token).ConfigureAwait(false);
            },
            cancellationToken).ConfigureAwait(false);
        var setAside = await _connection.RunToAnswerAsync("count the messages that were set aside",
            token => Rows.CountDocumentsAsync(SetAsideRows, cancellationToken: token), cancellationToken).ConfigureAwait(false);
        return found is null
            ? new OutboxStatistics(0, null, setAside)
            : new OutboxStatistics(found["count"].ToInt64(), TimeSpan.FromMilliseconds(Math.Max(0, found["age"].ToInt64())), setAside);
    }

    public async Task<IReadOnlyList<SetAsideMessage>> ListSetAsideAsync(string? topic, int limit, CancellationToken cancellationToken)
    {
        var filter = topic is null ? SetAsideRows : new BsonDocument(SetAsideRows) { { "topic", topic } };
        var found = await FindAsync(Rows, filter, new BsonDocument { { MongoOutboxRows.SetAsideAt, 1 }, { "_id", 1 } }, limit, cancellationToken)
            .ConfigureAwait(false);
        return found.ConvertAll(MongoOutboxRows.ReadSetAside);
    }

    // The fence stays: a relay that lost the bucket may have the row in hand still.
    public async Task<int> RetryAsync(IReadOnlyCollection<string> ids, CancellationToken cancellationToken)
    {
        var update = new BsonDocument
        {
            { "$set", new BsonDocument { { MongoOutboxRows.State, MongoOutboxRows.Pending }, { MongoOutboxRows.Attempts, 0 } } },
            { "$unset", new BsonDocument { { MongoOutboxRows.Reason, "" }, { MongoOutboxRows.HoldsKey, "" }, { MongoOutboxRows.SetAsideAt, "" } } },
        };
        var result = await _connection.RunToAnswerAsync("make messages pending again",
            token => Rows.UpdateManyAsync(SetAside(ids), update, cancellationToken: token), cancellationToken).ConfigureAwait(false);
        return (int)result.ModifiedCount;
    }

    public async Task<int> DiscardAsync(IReadOnlyCollection<string> ids, CancellationToken cancellationToken)
    {
        var result = await _connection.RunToAnswerAsync("discard messages", token => Rows.DeleteManyAsync(SetAside(ids), token), cancellationToken)
            .ConfigureAwait(false);
        return (int)result.DeletedCount;
    }

    public Task WatchAsync(Action<int?> signal, CancellationToken cancellationToken) => _watch.RunAsync(signal, cancellationToken);

    internal static BsonDocument PendingOrder => new() { { MongoOutboxRows.Bucket, 1 }, { MongoOutboxRows.Sequence, 1 } };

    internal static BsonDocument SetAsideRows => new() { { MongoOutboxRows.State, MongoOutboxRows.SetAside }, { MongoOutboxRows.Bucket, AnyBucket } };

    internal static BsonDocument[] PendingStatistics =>
    [
        new("$match", new BsonDocument { { MongoOutboxRows.State, MongoOutboxRows.Pending }, { MongoOutboxRows.Bucket, AnyBucket } }),
        new("$group", new BsonDocument { { "_id", BsonNull.Value }, { "count", new BsonDocument("$sum", 1) },
            { "oldest", new BsonDocument("$min", $"${MongoOutboxRows.EnqueuedAt}") } }),
        new("$project", new BsonDocument { { "count", 1 }, { "age", new BsonDocument("$subtract", new BsonArray { MongoServerClock.Now, "$oldest" }) } }),
    ];

    // The first field of an index has to be named.
    private static BsonDocument AnyBucket => new("$gte", 0);

    internal static BsonDocument[] PendingBuckets(string collection, IEnumerable<int> buckets) =>
    [
        new("$match", new BsonDocument("_id", new BsonDocument("$in", new BsonArray(buckets)))),
        new("$lookup", new BsonDocument
        {
            { "from", collection },
            { "localField", "_id" },
            { "foreignField", MongoOutboxRows.Bucket },
            { "pipeline", new BsonArray
                {
                    new BsonDocument("$match", new BsonDocument(MongoOutboxRows.State, MongoOutboxRows.Pending)),
                    new BsonDocument("$limit", 1),
                    new BsonDocument("$project", new BsonDocument("_id", 1)),
                } },
            { "as", "found" },
        }),
        new("$match", new BsonDocument("found", new BsonDocument("$ne", new BsonArray()))),
        new("$project", new BsonDocument("_id", 1)),
    ];

    internal static BsonDocument PendingRows(int bucket, IReadOnlyCollection<long> exceptKeys)
    {
        var filter = new BsonDocument { { MongoOutboxRows.State, MongoOutboxRows.Pending }, { MongoOutboxRows.Bucket, bucket } };
        if (exceptKeys.Count > 0)
        {
            filter.Add(MongoOutboxRows.KeyHash, new BsonDocument("$nin", new BsonArray(exceptKeys)));
        }

        return filter;
    }

    internal static BsonDocument PendingRowsUpTo(int bucket, long sequence, IReadOnlyCollection<long> exceptKeys) =>
        new(PendingRows(bucket, exceptKeys)) { { MongoOutboxRows.Sequence, new BsonDocument("$lte", sequence) } };

    /// <summary>Leaves out what is behind a message of its key that the read has missed: the next read finds both, in their order.</summary>
    internal static List<OutboxRow> WithoutOvertaking(List<OutboxRow> read, IEnumerable<(long KeyHash, long Sequence)> pending)
    {
        var known = read.Select(static row => row.Sequence).ToHashSet();
        var missed = pending.Where(row => !known.Contains(row.Sequence)).GroupBy(static row => row.KeyHash)
            .ToDictionary(static key => key.Key, static key => key.Min(static row => row.Sequence));
        return missed.Count == 0 ? read
            : read.FindAll(row => !missed.TryGetValue(row.Message.KeyHash, out var first) || row.Sequence < first);
    }

    internal static BsonDocument HeldKeys(int bucket) =>
        new() { { MongoOutboxRows.State, MongoOutboxRows.SetAside }, { MongoOutboxRows.Bucket, bucket }, { MongoOutboxRows.HoldsKey, true } };

    private static BsonDocument SetAside(IReadOnlyCollection<string> ids)
    {
        ArgumentNullException.ThrowIfNull(ids);
        return new BsonDocument { { "_id", new BsonDocument("$in", new BsonArray(ids)) }, { MongoOutboxRows.State, MongoOutboxRows.SetAside } };
    }

    // The transaction that the caller named, or that of the message that is being handled.
    private static IClientSessionHandle? TransactionOf(object? session) => session switch
    {
        null => MongoSessionScope.Of,
        IClientSessionHandle { IsInTransaction: true } transaction => transaction,
        IClientSessionHandle => throw new ArgumentException(
            "The session is in no transaction: call StartTransaction or WithTransaction, or enqueue without WithSession.", nameof(session)),
        _ => throw new ArgumentException(
            $"An outbox in MongoDB takes an IClientSessionHandle as the transaction, and {session.GetType()} was given.", nameof(session)),
    };

    private async Task RaiseFenceAsync(OutboxLease lease, CancellationToken cancellationToken)
    {
        if (Volatile.Read(ref _fences[lease.Bucket]) >= lease.Fence)
        {
            return;
        }

        var lower = new BsonDocument(PendingRows(lease.Bucket, [])) { { MongoOutboxRows.Fence, new BsonDocument("$lt", lease.Fence) } };
        await _connection.RunToAnswerAsync(
            "take over the messages of a bucket",
            token => Rows.UpdateManyAsync(lower, new BsonDocument("$set", new BsonDocument(MongoOutboxRows.Fence, lease.Fence)), cancellationToken: token),
            cancellationToken).ConfigureAwait(false);
        Volatile.Write(ref _heldKeys[lease.Bucket], AreUnknown);
        Volatile.Write(ref _fences[lease.Bucket], lease.Fence);
    }

    private async Task<List<long>> FindHeldKeysAsync(int bucket, CancellationToken cancellationToken)
    {
        var rows = await FindAsync(Rows, HeldKeys(bucket), new BsonDocument(MongoOutboxRows.Bucket, 1), limit: null, cancellationToken).ConfigureAwait(false);
        return rows.ConvertAll(static row => row[MongoOutboxRows.KeyHash].ToInt64());
    }

    private Task<List<BsonDocument>> FindAsync(
        IMongoCollection<BsonDocument> rows, BsonDocument filter, BsonDocument order, int? limit, CancellationToken cancellationToken,
        BsonDocument? fields = null) =>
        _connection.RunToAnswerAsync(
            "read the outbox",
            async token =>
            {
                var options = new FindOptions<BsonDocument> { Sort = order, Limit = limit, BatchSize = limit, Projection = fields };
                using var cursor = await rows.FindAsync(filter, options, token).ConfigureAwait(false);
                return await cursor.ToListAsync(token).ConfigureAwait(false);
            },
            cancellationToken);

    // A change of one row, where the lease is in force and the row is pending.
    private async Task<bool> ChangeAsync(
        OutboxLease lease, OutboxRow row, string action, UpdateDefinition<BsonDocument> update, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(lease);
        if ((await _leases.FindInForceAsync([lease], cancellationToken).ConfigureAwait(false)).Count == 0)
        {
            return false;
        }

        var result = await _connection.RunToAnswerAsync(
            action, token => Rows.UpdateOneAsync(MongoOutboxRows.Mine(lease, row.Message.Id), update, cancellationToken: token), cancellationToken)
            .ConfigureAwait(false);
        return result.ModifiedCount > 0;
    }
}
