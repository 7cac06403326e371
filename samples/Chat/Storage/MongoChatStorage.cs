using Chat.Log;
using Chat.Rooms;
using MongoDB.Bson;
using MongoDB.Driver;
using Narad.Kafka;

namespace Chat.Storage;

/// <summary>
/// Collections <c>messages</c>, <c>members</c>, <c>receipts</c>, <c>signed-out</c> and <c>positions</c>. What a batch wrote before a failure is written
/// again, and changes nothing.
/// </summary>
internal sealed class MongoChatStorage : IChatStorage
{
    private const int DuplicateKey = 11000;
    private const int MostRaces = 10;

    private static readonly FilterDefinitionBuilder<BsonDocument> Where = Builders<BsonDocument>.Filter;
    private static readonly UpdateDefinitionBuilder<BsonDocument> Set = Builders<BsonDocument>.Update;
    private static readonly SortDefinitionBuilder<BsonDocument> Sort = Builders<BsonDocument>.Sort;
    private static readonly IndexKeysDefinitionBuilder<BsonDocument> Keys = Builders<BsonDocument>.IndexKeys;

    private readonly IMongoCollection<BsonDocument> _messages;
    private readonly IMongoCollection<BsonDocument> _members;
    private readonly IMongoCollection<BsonDocument> _receipts;
    private readonly IMongoCollection<BsonDocument> _signedOut;
    private readonly IMongoCollection<BsonDocument> _positions;

    public MongoChatStorage(IMongoDatabase database)
    {
        // With the majority, so that what is stored outlives the primary that took it.
        IMongoCollection<BsonDocument> Collection(string name) => database.GetCollection<BsonDocument>(name).WithWriteConcern(WriteConcern.WMajority);
        _messages = Collection("messages");
        _members = Collection("members");
        _receipts = Collection("receipts");
        _signedOut = Collection("signed-out");
        _positions = Collection("positions");
    }

    public string Name => "MongoDB";

    public Task StartAsync(string? logId, CancellationToken cancellationToken) => RunAsync(async () =>
    {
        await IndexAsync(_messages, Keys.Ascending("roomId").Ascending("sequence"));
        await IndexAsync(_messages, Keys.Ascending("messageId"));
        await IndexAsync(_members, Keys.Ascending("userId"));
        await IndexAsync(_members, Keys.Ascending("roomId"));
        await IndexAsync(_receipts, Keys.Ascending("roomId"));
        if (logId is not null)
        {
            await BeginLogAsync(logId, cancellationToken);
        }

        Task IndexAsync(IMongoCollection<BsonDocument> collection, IndexKeysDefinition<BsonDocument> keys) =>
            collection.Indexes.CreateOneAsync(new CreateIndexModel<BsonDocument>(keys), cancellationToken: cancellationToken);
    });

    public Task WriteAsync(
        IReadOnlyList<Message> messages,
        IReadOnlyList<(string RoomId, MemberChange Change)> changes,
        CancellationToken cancellationToken) => RunAsync(async () =>
    {
        // In the order of the log, so that a reader sees no message without those before it.
        await WriteAsync(
            _messages,
            [.. messages.Select(static message => new UpdateOneModel<BsonDocument>(
                Where.Eq("_id", $"{message.RoomId}/{message.MessageId}"),
                Set.SetOnInsert("roomId", message.RoomId).SetOnInsert("messageId", message.MessageId).SetOnInsert("userId", message.UserId)
                    .SetOnInsert("text", message.Text).SetOnInsert("sequence", message.Sequence)
                    .SetOnInsert("timestamp", message.Timestamp.UtcDateTime)) { IsUpsert = true })],
            cancellationToken);
        foreach (var (roomId, change) in changes)
        {
            await WriteAsync(roomId, change, cancellationToken);
        }
    });

    public Task WriteAsync(IReadOnlyList<StateRecord> records, CancellationToken cancellationToken) => RunAsync(async () =>
    {
        // One write for each user and room: the highest of each receipt.
        var receipts = records.Where(static record => record.Kind is StateKind.Receipt)
            .GroupBy(static record => (record.RoomId, record.UserId))
            .OrderBy(static group => group.Key.RoomId, StringComparer.Ordinal).ThenBy(static group => group.Key.UserId, StringComparer.Ordinal);
        await WriteAsync(
            _receipts,
            [.. receipts.Select(static group => new UpdateOneModel<BsonDocument>(
                Where.Eq("_id", $"{group.Key.RoomId}/{group.Key.UserId}"),
                Set.SetOnInsert("roomId", group.Key.RoomId).SetOnInsert("userId", group.Key.UserId)
                    .Max("deliveredUpTo", group.Max(static record => Math.Max(record.DeliveredUpTo, record.ReadUpTo)))
                    .Max("readUpTo", group.Max(static record => record.ReadUpTo))) { IsUpsert = true })],
            cancellationToken);
        await WriteAsync(
            _signedOut,
            [.. records.Where(static record => record.Kind is StateKind.SignedOut).Select(static record => new UpdateOneModel<BsonDocument>(
                Where.Eq("_id", record.UserId), Set.Max("time", record.Time.UtcDateTime)) { IsUpsert = true })],
            cancellationToken);
    });

    public Task WritePositionAsync(string topic, int partition, long next, CancellationToken cancellationToken) => RunAsync(() => WriteAsync(
        _positions,
        [new UpdateOneModel<BsonDocument>(
            Where.Eq("_id", $"{topic}/{partition}"),
            Set.SetOnInsert("topic", topic).SetOnInsert("partition", partition).Max("next", next)) { IsUpsert = true }],
        cancellationToken));

    public Task<IReadOnlyDictionary<int, LogPosition>> PositionsAsync(string topic, CancellationToken cancellationToken) => RunAsync(async () =>
        (IReadOnlyDictionary<int, LogPosition>)(await _positions.Find(Where.Eq("topic", topic)).ToListAsync(cancellationToken)).ToDictionary(
            static position => position["partition"].ToInt32(),
            static position => new LogPosition(position["next"].ToInt64(), position.GetValue("base", 0).ToInt64())));

    public Task<StoredRoom> RoomAsync(string roomId, CancellationToken cancellationToken) => RunAsync(async () =>
    {
        var first = await _messages.Find(Where.Eq("roomId", roomId)).Sort(Sort.Ascending("sequence")).FirstOrDefaultAsync(cancellationToken);
        var last = await _messages.Find(Where.Eq("roomId", roomId)).Sort(Sort.Descending("sequence")).FirstOrDefaultAsync(cancellationToken);
        var members = (await _members.Find(Where.Eq("roomId", roomId)).ToListAsync(cancellationToken)).ConvertAll(static member => new Member(
            member["userId"].AsString,
            Enum.Parse<MemberState>(member["state"].AsString),
            member["changedAt"].ToInt64(),
            member["firstJoinedAt"].ToInt64(),
            DeliveredUpTo: 0,
            ReadUpTo: 0));
        var receipts = (await _receipts.Find(Where.Eq("roomId", roomId)).ToListAsync(cancellationToken)).ConvertAll(static receipt => Member
            .None(receipt["userId"].AsString)
            .With(new Receipt(receipt["userId"].AsString, receipt["deliveredUpTo"].ToInt64(), receipt["readUpTo"].ToInt64())));
        var all = members.Concat(receipts).GroupBy(static member => member.UserId, StringComparer.Ordinal)
            .Select(static same => same.Aggregate(static (one, other) => one.With(other)));
        return new StoredRoom(first is null ? 0 : Read(first).Sequence, last is null ? 0 : Read(last).Sequence, [.. all]);
    });

    public Task<IReadOnlyList<string>> RoomsOfAsync(string userId, CancellationToken cancellationToken) => RunAsync(async () =>
        (IReadOnlyList<string>)(await _members.Find(Where.Eq("userId", userId) & Where.Eq("state", nameof(MemberState.Joined))).ToListAsync(cancellationToken))
            .ConvertAll(static member => member["roomId"].AsString));

    public Task<IReadOnlyList<Message>> PageAsync(
        string roomId, long after, long before, int limit, bool newestFirst, CancellationToken cancellationToken) => RunAsync(async () =>
        (IReadOnlyList<Message>)(await _messages.Find(InRoom(roomId, after) & Where.Lt("sequence", before))
            .Sort(newestFirst ? Sort.Descending("sequence") : Sort.Ascending("sequence")).Limit(limit).ToListAsync(cancellationToken)).ConvertAll(Read));

    public Task<IReadOnlyDictionary<string, long>> CountByUserAsync(string roomId, long upTo, CancellationToken cancellationToken) => RunAsync(async () =>
        (IReadOnlyDictionary<string, long>)(await _messages.Aggregate()
            .Match(Where.Eq("roomId", roomId) & Where.Lte("sequence", upTo))
            .Group(new BsonDocument { { "_id", "$userId" }, { "count", new BsonDocument("$sum", 1) } })
            .ToListAsync(cancellationToken)).ToDictionary(static user => user["_id"].AsString, static user => user["count"].ToInt64(), StringComparer.Ordinal));

    public Task<long> CountAsync(string roomId, long after, long upTo, string exceptUserId, CancellationToken cancellationToken) => RunAsync(() =>
        _messages.CountDocumentsAsync(
            InRoom(roomId, after) & Where.Lte("sequence", upTo) & Where.Ne("userId", exceptUserId), cancellationToken: cancellationToken));

    public Task<IReadOnlyList<Message>> FindAsync(IReadOnlyCollection<string> messageIds, CancellationToken cancellationToken) => RunAsync(async () =>
        (IReadOnlyList<Message>)(await _messages.Find(Where.In("messageId", messageIds)).ToListAsync(cancellationToken)).ConvertAll(Read));

    public Task<IReadOnlyDictionary<string, DateTimeOffset>> SignedOutAsync(CancellationToken cancellationToken) => RunAsync(async () =>
        (IReadOnlyDictionary<string, DateTimeOffset>)(await _signedOut.Find(Where.Empty).ToListAsync(cancellationToken)).ToDictionary(
            static user => user["_id"].AsString, static user => new DateTimeOffset(user["time"].ToUniversalTime(), TimeSpan.Zero), StringComparer.Ordinal));

    // The later change counts. Where a later one is there already, the filter finds nothing, and the insert is refused: that is the answer.
    private async Task WriteAsync(string roomId, MemberChange change, CancellationToken cancellationToken)
    {
        try
        {
            var update = Set.Set("state", change.State.ToString()).Set("changedAt", change.Sequence)
                .SetOnInsert("roomId", roomId).SetOnInsert("userId", change.UserId)
                .SetOnInsert("firstJoinedAt", change.State is MemberState.Joined ? change.Sequence : 0);
            await _members.UpdateOneAsync(
                Where.Eq("_id", $"{roomId}/{change.UserId}") & Where.Lt("changedAt", change.Sequence),
                update,
                new UpdateOptions { IsUpsert = true },
                cancellationToken);
        }
        catch (MongoWriteException known) when (known.WriteError.Code == DuplicateKey)
        {
            // It is stored, or a later one is.
        }
    }

    // Two writers of one id may refuse each other once.
    private static async Task WriteAsync(
        IMongoCollection<BsonDocument> collection, IReadOnlyList<WriteModel<BsonDocument>> writes, CancellationToken cancellationToken)
    {
        for (var race = 1; writes.Count > 0; race++)
        {
            try
            {
                await collection.BulkWriteAsync(writes, new BulkWriteOptions { IsOrdered = true }, cancellationToken);
                return;
            }
            catch (MongoBulkWriteException<BsonDocument> raced) when (
                race < MostRaces && raced.WriteConcernError is null && raced.WriteErrors.All(static error => error.Code == DuplicateKey))
            {
                // What was written stays; all of it again changes nothing.
            }
        }
    }

    // Another log, whose offsets begin at 0: its sequences continue behind all that is stored.
    private async Task BeginLogAsync(string logId, CancellationToken cancellationToken)
    {
        var known = await _positions.Find(Where.Eq("_id", "log")).FirstOrDefaultAsync(cancellationToken);
        if (known?["logId"].AsString == logId)
        {
            return;
        }

        var last = await _messages.Find(Where.Empty).Sort(Sort.Descending("sequence")).FirstOrDefaultAsync(cancellationToken);
        var member = await _members.Find(Where.Empty).Sort(Sort.Descending("changedAt")).FirstOrDefaultAsync(cancellationToken);
        var start = Math.Max(last?["sequence"].ToInt64() ?? 0, member?["changedAt"].ToInt64() ?? 0);
        await _positions.UpdateManyAsync(Where.Exists("topic"), Set.Set("next", 0L).Set("base", start), cancellationToken: cancellationToken);
        await _positions.UpdateOneAsync(
            Where.Eq("_id", "log"), Set.Set("logId", logId), new UpdateOptions { IsUpsert = true }, cancellationToken);
    }

    private static FilterDefinition<BsonDocument> InRoom(string roomId, long after) => Where.Eq("roomId", roomId) & Where.Gt("sequence", after);

    private static Message Read(BsonDocument message) => new(
        message["messageId"].AsString,
        message["roomId"].AsString,
        message["userId"].AsString,
        message["text"].AsString,
        message["sequence"].ToInt64(),
        new DateTimeOffset(message["timestamp"].ToUniversalTime(), TimeSpan.Zero));

    private static async Task<T> RunAsync<T>(Func<Task<T>> call)
    {
        try
        {
            return await call();
        }
        catch (Exception failure) when (failure is MongoException or TimeoutException)
        {
            throw new StoreUnavailableException("MongoDB does not answer. Check the address in MONGODB_URI, and that the server runs.", failure);
        }
    }

    private static Task RunAsync(Func<Task> call) => RunAsync(async () =>
    {
        await call();
        return true;
    });
}
