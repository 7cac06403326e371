using System.Runtime.CompilerServices;
using MongoDB.Bson;
using MongoDB.Driver;
using Narad.Kafka;

namespace Notifications.Storage;

/// <summary>
/// Collections <c>notifications</c>, a document each (<c>{_id: "user/id", …, state, position}</c>), and <c>notification-users</c>. A TTL index deletes what
/// has expired. Thread-safe.
/// </summary>
internal sealed class MongoNotifications(IMongoDatabase database, TimeProvider time) : INotificationStore
{
    private static readonly FilterDefinitionBuilder<BsonDocument> Where = Builders<BsonDocument>.Filter;
    private static readonly SortDefinitionBuilder<BsonDocument> Sort = Builders<BsonDocument>.Sort;
    private static readonly IndexKeysDefinitionBuilder<BsonDocument> Keys = Builders<BsonDocument>.IndexKeys;

    // With the majority, so that what is acknowledged outlives the primary that took it.
    private readonly IMongoCollection<BsonDocument> _notifications = database.GetCollection<BsonDocument>("notifications")
        .WithWriteConcern(WriteConcern.WMajority);

    private readonly IMongoCollection<BsonDocument> _users = database.GetCollection<BsonDocument>("notification-users");

    private volatile bool _isIndexed;
    private long _lastPosition;

    public string Name => "MongoDB";

    public Task<IReadOnlyList<StoredNotification>> StoreAsync(IReadOnlyList<StoredNotification> notifications, CancellationToken cancellationToken) =>
        RunAsync(async () =>
        {
            await CreateIndexesAsync(cancellationToken);
            await InsertAsync(notifications, cancellationToken);

            // Also what was stored before: its event may not have been published.
            var pending = Where.In("_id", notifications.Select(DocumentId)) & Where.Eq("state", (int)NotificationState.Pending);
            return await ReadAsync(_notifications.Find(pending).Sort(Sort.Ascending("position")), cancellationToken);
        });

    public Task<IReadOnlyList<StoredNotification>> PendingAsync(string userId, long after, int limit, CancellationToken cancellationToken)
    {
        var pending = CurrentOf(userId) & Where.Eq("state", (int)NotificationState.Pending) & Where.Gt("position", after);
        return RunAsync(() => ReadAsync(_notifications.Find(pending).Sort(Sort.Ascending("position")).Limit(limit), cancellationToken));
    }

    public Task<IReadOnlyList<StoredNotification>> ListAsync(
        string userId, IReadOnlyCollection<NotificationState> states, long? before, int limit, CancellationToken cancellationToken)
    {
        var listed = CurrentOf(userId) & Where.In("state", states.Select(static state => (int)state)) & Where.Lt("position", before ?? long.MaxValue);
        return RunAsync(() => ReadAsync(_notifications.Find(listed).Sort(Sort.Descending("position")).Limit(limit), cancellationToken));
    }

    public Task<IReadOnlyDictionary<NotificationState, long>> CountAsync(string userId, CancellationToken cancellationToken) => RunAsync(async () =>
    {
        var counts = await _notifications.Aggregate().Match(CurrentOf(userId))
            .Group(new BsonDocument { { "_id", "$state" }, { "count", new BsonDocument("$sum", 1) } }).ToListAsync(cancellationToken);
        return (IReadOnlyDictionary<NotificationState, long>)counts.ToDictionary(
            static count => (NotificationState)count["_id"].ToInt32(), static count => count["count"].ToInt64());
    });

    public Task<long> ChangeAsync(string userId, StateChange change, CancellationToken cancellationToken)
    {
        var earlier = Where.Eq("userId", userId) & Where.Lt("state", (int)change.State);
        if (change.Ids is { } ids)
        {
            earlier &= Where.In("_id", ids.Select(id => DocumentId(userId, id)));
        }

        if (change.UpTo is { } position)
        {
            earlier &= Where.Lte("position", position);
        }

        return RunAsync(async () => (await _notifications.UpdateManyAsync(
            earlier, Builders<BsonDocument>.Update.Set("state", (int)change.State), cancellationToken: cancellationToken)).ModifiedCount);
    }

    public Task AddUserAsync(string userId, CancellationToken cancellationToken) => RunAsync(async () =>
    {
        var document = new BsonDocument("_id", userId);
        return await _users.ReplaceOneAsync(document, document, new ReplaceOptions { IsUpsert = true }, cancellationToken);
    });

    public async IAsyncEnumerable<string> UsersAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var noted = await RunAsync(() => _users.Find(Where.Empty).ToListAsync(cancellationToken));
        var known = noted.Select(static user => user["_id"].AsString).ToHashSet(StringComparer.Ordinal);
        var others = await RunAsync(() => _notifications.Aggregate().Group(new BsonDocument("_id", "$userId")).ToListAsync(cancellationToken));
        known.UnionWith(others.Select(static user => user["_id"].AsString));
        foreach (var userId in known)
        {
            yield return userId;
        }
    }

    // In order, so that a process that dies in the middle leaves no gap that is filled with later positions.
    private async Task InsertAsync(IReadOnlyList<StoredNotification> notifications, CancellationToken cancellationToken)
    {
        var documents = notifications.DistinctBy(DocumentId, StringComparer.Ordinal).Select(Document).ToList();
        while (documents.Count > 0)
        {
            try
            {
                await _notifications.InsertManyAsync(documents, cancellationToken: cancellationToken);
                return;
            }
            catch (MongoBulkWriteException<BsonDocument> refused) when (
                refused.WriteErrors.Count > 0 && refused.WriteErrors.All(static error => error.Category is ServerErrorCategory.DuplicateKey))
            {
                var stored = await _notifications.Find(Where.In("_id", documents.Select(static document => document["_id"])))
                    .Project(Builders<BsonDocument>.Projection.Include("_id")).ToListAsync(cancellationToken);
                var ids = stored.Select(static document => document["_id"].AsString).ToHashSet(StringComparer.Ordinal);
                documents.RemoveAll(document => ids.Contains(document["_id"].AsString));
            }
        }
    }

    private async Task CreateIndexesAsync(CancellationToken cancellationToken)
    {
        if (_isIndexed)
        {
            return;
        }

        await _notifications.Indexes.CreateManyAsync(
            [
                new CreateIndexModel<BsonDocument>(
                    Keys.Ascending("userId").Ascending("position"), new CreateIndexOptions { Name = "user-position" }),
                new CreateIndexModel<BsonDocument>(
                    Keys.Ascending("userId").Ascending("state").Ascending("position"), new CreateIndexOptions { Name = "user-state-position" }),
                new CreateIndexModel<BsonDocument>(
                    Keys.Ascending("expiresAt"), new CreateIndexOptions { Name = "expiry", ExpireAfter = TimeSpan.Zero }),
            ],
            cancellationToken);
        _isIndexed = true;
    }

    private FilterDefinition<BsonDocument> CurrentOf(string userId) => Where.Eq("userId", userId) & Where.Gt("expiresAt", time.GetUtcNow().UtcDateTime);

    private BsonDocument Document(StoredNotification notification) => new()
    {
        { "_id", DocumentId(notification) },
        { "id", notification.Id },
        { "userId", notification.UserId },
        { "message", notification.Message },
        { "timestamp", notification.Timestamp.UtcDateTime },
        { "expiresAt", notification.ExpiresAt.UtcDateTime },
        { "state", (int)NotificationState.Pending },
        { "position", NextPosition() },
    };

    // Microseconds, each given once by this process. The notifications of a user are in one partition, so that one process at a time stores them.
    private long NextPosition()
    {
        var now = (time.GetUtcNow() - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond;
        while (true)
        {
            var last = Interlocked.Read(ref _lastPosition);
            var next = Math.Max(last + 1, now);
            if (Interlocked.CompareExchange(ref _lastPosition, next, last) == last)
            {
                return next;
            }
        }
    }

    private static string DocumentId(StoredNotification notification) => DocumentId(notification.UserId, notification.Id);

    // The id of a user has no slash.
    private static string DocumentId(string userId, string id) => $"{userId}/{id}";

    private static async Task<IReadOnlyList<StoredNotification>> ReadAsync(
        IFindFluent<BsonDocument, BsonDocument> found, CancellationToken cancellationToken) =>
        (await found.ToListAsync(cancellationToken)).ConvertAll(static document => new StoredNotification
        {
            Id = document["id"].AsString,
            UserId = document["userId"].AsString,
            Message = document["message"].AsString,
            Timestamp = new DateTimeOffset(document["timestamp"].ToUniversalTime(), TimeSpan.Zero),
            ExpiresAt = new DateTimeOffset(document["expiresAt"].ToUniversalTime(), TimeSpan.Zero),
            State = (NotificationState)document["state"].ToInt32(),
            Position = document["position"].ToInt64(),
        });

    private static async Task<T> RunAsync<T>(Func<Task<T>> call)
    {
        try
        {
            return await call();
        }
        catch (Exception failure) when (failure is MongoException or TimeoutException)
        {
            throw new StoreUnavailableException("MongoDB does not answer.", failure);
        }
    }
}
