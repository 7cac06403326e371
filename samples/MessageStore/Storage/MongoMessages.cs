using MongoDB.Bson;
using MongoDB.Driver;
using Narad.Kafka;

namespace MessageStore.Storage;

/// <summary>Collection <c>messages</c>. Thread-safe.</summary>
internal sealed class MongoMessages(IMongoDatabase database) : IMessages
{
    private static readonly FilterDefinitionBuilder<BsonDocument> Where = Builders<BsonDocument>.Filter;
    private static readonly SortDefinitionBuilder<BsonDocument> Sort = Builders<BsonDocument>.Sort;

    // With the majority, so that a message outlives the primary that took it.
    private readonly IMongoCollection<BsonDocument> _messages = database.GetCollection<BsonDocument>(MessageStoreRoles.Collection)
        .WithWriteConcern(WriteConcern.WMajority);

    private volatile bool _isIndexed;

    public string Name => "MongoDB";

    public Task InsertAsync(Message message, CancellationToken cancellationToken) => RunAsync(
        () => _messages.InsertOneAsync(Mongo.Document(message, produced: false), cancellationToken: cancellationToken));

    public Task<IReadOnlyList<StoredText>> ListAsync(string? before, int limit, CancellationToken cancellationToken) => RunAsync(
        async () => (IReadOnlyList<StoredText>)(await _messages.Find(before is null ? Where.Empty : Where.Lt("_id", before))
            .Sort(Sort.Descending("_id")).Limit(limit).ToListAsync(cancellationToken)).ConvertAll(Mongo.Read));

    public Task<IReadOnlyList<Message>> NotProducedAsync(int limit, CancellationToken cancellationToken) => RunAsync(async () =>
    {
        if (!_isIndexed)
        {
            await _messages.Indexes.CreateOneAsync(
                new CreateIndexModel<BsonDocument>(
                    Builders<BsonDocument>.IndexKeys.Ascending("_id"),
                    new CreateIndexOptions<BsonDocument> { Name = "not-produced", PartialFilterExpression = Where.Eq(Mongo.Produced, false) }),
                cancellationToken: cancellationToken);
            _isIndexed = true;
        }

        return (IReadOnlyList<Message>)(await _messages.Find(Where.Eq(Mongo.Produced, false))
            .Sort(Sort.Ascending("_id")).Limit(limit).ToListAsync(cancellationToken)).ConvertAll(static found => (Message)Mongo.Read(found));
    });

    public Task MarkProducedAsync(IReadOnlyCollection<string> ids, CancellationToken cancellationToken) => RunAsync(
        () => _messages.UpdateManyAsync(
            Where.In("_id", ids), Builders<BsonDocument>.Update.Set(Mongo.Produced, true), cancellationToken: cancellationToken));

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

    private static Task RunAsync(Func<Task> call) => RunAsync(async () =>
    {
        await call();
        return true;
    });
}
