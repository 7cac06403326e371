using MongoDB.Bson;
using MongoDB.Driver;
using Narad.Kafka;

namespace ClientToClient.Storage;

/// <summary>
/// The entries in MongoDB, which all clients share. Writes through the library's message store: idempotent by id, bounded in time, acknowledged by the
/// majority. Thread-safe.
/// </summary>
internal sealed class MongoMessageRepository(IMessageStore store, IMongoDatabase database) : IMessageRepository
{
    private const string Collection = "messages";

    private static readonly MessageStoreTarget Target = new(Collection);

    private readonly IMongoCollection<BsonDocument> _collection = database.GetCollection<BsonDocument>(Collection);

    private volatile bool _isIndexed;

    public string Name => "MongoDB";

    public async Task SaveAsync(SavedMessage entry, CancellationToken cancellationToken = default)
    {
        if (!_isIndexed)
        {
            await CreateIndexAsync(cancellationToken);
            _isIndexed = true;
        }

        var document = new BsonDocument
        {
            { "_id", entry.Id },
            { "messageId", entry.MessageId },
            { "savedBy", entry.SavedBy },
            { "from", entry.Content.From },
            { "to", entry.Content.To },
            { "message", entry.Content.Message },
            { "timestamp", entry.Content.Timestamp.UtcDateTime },
        };
        var message = new StoredMessage(entry.Id, document, entry.Content, new MessageContext { Topic = ClientMessage.Topic });
        if ((await store.WriteAsync(Target, [message], cancellationToken))[0] is { } refused)
        {
            throw refused;
        }
    }

    public async Task<IReadOnlySet<string>> FindSavedAsync(
        IReadOnlyCollection<string> messageIds, string savedBy, CancellationToken cancellationToken = default)
    {
        var wanted = Builders<BsonDocument>.Filter.In("_id", messageIds.Select(id => $"{id}/{savedBy}"));
        var found = await RunAsync(
            token => _collection.Find(wanted).Project(Builders<BsonDocument>.Projection.Include("messageId")).ToListAsync(token), cancellationToken);
        return found.Select(entry => entry["messageId"].AsString).ToHashSet(StringComparer.Ordinal);
    }

    // Before the first entry, so that the service starts while the database is away. Idempotent.
    private Task CreateIndexAsync(CancellationToken cancellationToken) => RunAsync(
        token => _collection.Indexes.CreateOneAsync(
            new CreateIndexModel<BsonDocument>(
                Builders<BsonDocument>.IndexKeys.Ascending("messageId").Ascending("savedBy"),
                new CreateIndexOptions { Name = "messageId_savedBy", Unique = true }),
            cancellationToken: token),
        cancellationToken);

    private static async Task<T> RunAsync<T>(Func<CancellationToken, Task<T>> call, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(MessageRepositoryExtensions.Timeout);
        try
        {
            return await call(limit.Token);
        }
        catch (Exception error) when (error is MongoConnectionException or TimeoutException
            || (error is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            throw new StoreUnavailableException($"MongoDB did not answer within {MessageRepositoryExtensions.Timeout.TotalSeconds} s.", error);
        }
    }
}
