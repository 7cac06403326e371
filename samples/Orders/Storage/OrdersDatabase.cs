using MongoDB.Bson;
using MongoDB.Driver;
using Narad.Kafka;
using Narad.Kafka.Mongo;

namespace Orders.Storage;

/// <summary>
/// The database, and its transactions: what runs in the handler of a message joins the transaction of its inbox; elsewhere each change is a transaction of its
/// own. Thread-safe.
/// </summary>
/// <remarks>
/// In a handler the driver's errors pass unchanged, because the inbox knows which of them it can try again. Elsewhere an outage is a
/// <see cref="StoreUnavailableException"/>.
/// </remarks>
internal sealed class OrdersDatabase(IMongoDatabase database, IMongoSessionAccessor handler)
{
    private const int NamespaceExists = 48;

    /// <summary>How long an answer is waited for.</summary>
    public static readonly TimeSpan Timeout = TimeSpan.FromSeconds(15);

    /// <summary>A collection whose writes count when the majority of the members has them.</summary>
    public IMongoCollection<BsonDocument> Collection(string name) => database.GetCollection<BsonDocument>(name).WithWriteConcern(WriteConcern.WMajority);

    /// <summary>Creates a collection where there is none yet.</summary>
    public async Task CreateAsync(string name, CancellationToken cancellationToken)
    {
        try
        {
            await database.CreateCollectionAsync(name, cancellationToken: cancellationToken);
        }
        catch (MongoCommandException failure) when (failure.Code is NamespaceExists)
        {
            // By another process, or at an earlier start.
        }
    }

    /// <summary>A document by its id; null where there is none.</summary>
    public Task<BsonDocument?> FindAsync(IMongoCollection<BsonDocument> collection, string id, CancellationToken cancellationToken) => RunAsync(
        async (session, token) => (BsonDocument?)await Find(collection, session, new BsonDocument("_id", id)).FirstOrDefaultAsync(token), cancellationToken);

    /// <summary>Documents in their order.</summary>
    public Task<List<BsonDocument>> ReadAsync(
        IMongoCollection<BsonDocument> collection, FilterDefinition<BsonDocument> filter, SortDefinition<BsonDocument> sort, int? limit,
        CancellationToken cancellationToken) =>
        RunAsync((session, token) => Find(collection, session, filter).Sort(sort).Limit(limit).ToListAsync(token), cancellationToken);

    /// <summary>Inserts or replaces a document, in a transaction.</summary>
    /// <returns>The document.</returns>
    public static async Task<BsonDocument> SaveAsync(
        IMongoCollection<BsonDocument> collection, IClientSessionHandle session, BsonDocument document, CancellationToken cancellationToken)
    {
        await collection.ReplaceOneAsync(
            session, new BsonDocument("_id", document["_id"]), document, new ReplaceOptions { IsUpsert = true }, cancellationToken);
        return document;
    }

    /// <summary>Changes documents in one transaction.</summary>
    /// <param name="change">May be called again after a transaction that was aborted. Its session takes part in every call.</param>
    /// <param name="cancellationToken">Stops the waiting.</param>
    public Task<T> InTransactionAsync<T>(Func<IClientSessionHandle, CancellationToken, Task<T>> change, CancellationToken cancellationToken) => RunAsync(
        async (session, token) =>
        {
            if (session is not null)
            {
                return await change(session, token);
            }

            using var own = await database.Client.StartSessionAsync(cancellationToken: token);
            return await own.WithTransactionAsync(change, new TransactionOptions(ReadConcern.Snapshot, ReadPreference.Primary, WriteConcern.WMajority), token);
        },
        cancellationToken);

    /// <summary>Whether a unique index refused a write.</summary>
    public static bool IsDuplicate(Exception failure) => failure switch
    {
        MongoWriteException { WriteError.Category: ServerErrorCategory.DuplicateKey } => true,
        MongoBulkWriteException bulk => bulk.WriteErrors.Any(static error => error.Category is ServerErrorCategory.DuplicateKey),
        MongoCommandException { Code: 11000 } => true,
        _ => false,
    };

    private static IFindFluent<BsonDocument, BsonDocument> Find(
        IMongoCollection<BsonDocument> collection, IClientSessionHandle? session, FilterDefinition<BsonDocument> filter) =>
        session is null ? collection.Find(filter) : collection.Find(session, filter);

    private async Task<T> RunAsync<T>(Func<IClientSessionHandle?, CancellationToken, Task<T>> call, CancellationToken cancellationToken)
    {
        if (handler.Session is { } session)
        {
            return await call(session, cancellationToken);
        }

        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(Timeout);
        try
        {
            return await call(null, limit.Token);
        }
        catch (Exception failure) when (!cancellationToken.IsCancellationRequested && !IsDuplicate(failure)
            && failure is MongoException or TimeoutException or OperationCanceledException)
        {
            throw new StoreUnavailableException("MongoDB does not answer.", failure);
        }
    }
}
