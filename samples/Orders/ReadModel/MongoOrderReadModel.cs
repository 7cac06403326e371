using System.Collections.Concurrent;
using System.Text.Json;
using MongoDB.Bson;
using MongoDB.Driver;
using Narad.Kafka;
using Orders.Events;

namespace Orders.ReadModel;

/// <summary>
/// A collection for each model, <c>orders-1</c>, <c>orders-2</c>, … (<c>{_id: order, version, state, order: JSON}</c>), and one document in
/// <c>order-models</c> that says which of them serves. Thread-safe.
/// </summary>
internal sealed class MongoOrderReadModel(IMongoDatabase database) : IOrderReadModel
{
    private const string Prefix = "orders-";

    private static readonly FilterDefinitionBuilder<BsonDocument> Where = Builders<BsonDocument>.Filter;
    private static readonly UpdateDefinitionBuilder<BsonDocument> Update = Builders<BsonDocument>.Update;
    private static readonly ProjectionDefinition<BsonDocument> Version = Builders<BsonDocument>.Projection.Include("version");
    private static readonly FilterDefinition<BsonDocument> TheDocument = Where.Eq("_id", "models");
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web);

    private readonly IMongoCollection<BsonDocument> _models = database.GetCollection<BsonDocument>("order-models").WithWriteConcern(WriteConcern.WMajority);

    private readonly ConcurrentDictionary<int, bool> _indexed = new();

    public Task<Models> GetModelsAsync(CancellationToken cancellationToken) => RunAsync(async () =>
        await _models.Find(TheDocument).FirstOrDefaultAsync(cancellationToken) is { } found ? From(found) : new Models(Active: 1, Building: null));

    public Task<Models> StartBuildingAsync(CancellationToken cancellationToken) => RunAsync(async () =>
    {
        var first = Update.SetOnInsert("active", 1).SetOnInsert("last", 1).SetOnInsert("building", BsonNull.Value);
        await _models.UpdateOneAsync(TheDocument, first, new UpdateOptions { IsUpsert = true }, cancellationToken);
        while (true)
        {
            var found = await _models.Find(TheDocument).FirstAsync(cancellationToken);
            var last = found["last"].ToInt32();
            var next = Update.Set("building", last + 1).Set("last", last + 1);
            if ((await _models.UpdateOneAsync(TheDocument & Where.Eq("last", last), next, cancellationToken: cancellationToken)).ModifiedCount == 1)
            {
                var models = new Models(found["active"].ToInt32(), last + 1);
                await DeleteOthersAsync(models, cancellationToken);
                return models;
            }
        }
    });

    public Task<bool> SwitchAsync(int building, CancellationToken cancellationToken) => RunAsync(async () =>
    {
        var next = Update.Set("active", building).Set("building", BsonNull.Value);
        var switched = await _models.UpdateOneAsync(TheDocument & Where.Eq("building", building), next, cancellationToken: cancellationToken);
        if (switched.ModifiedCount == 1)
        {
            await DeleteOthersAsync(new Models(building, Building: null), cancellationToken);
        }

        return switched.ModifiedCount == 1;
    });

    public Task AbandonAsync(int building, CancellationToken cancellationToken) => RunAsync(async () =>
    {
        await _models.UpdateOneAsync(
            TheDocument & Where.Eq("building", building), Update.Set("building", BsonNull.Value), cancellationToken: cancellationToken);
        await database.DropCollectionAsync(NameOf(building), cancellationToken);
        return true;
    });

    public Task<IReadOnlyDictionary<string, Order>> ReadAsync(int model, IReadOnlyCollection<string> orderIds, CancellationToken cancellationToken) =>
        RunAsync<IReadOnlyDictionary<string, Order>>(async () =>
        {
            var found = await CollectionOf(model).Find(Where.In("_id", orderIds)).ToListAsync(cancellationToken);
            return found.Select(OrderOf).ToDictionary(static order => order.OrderId, StringComparer.Ordinal);
        });

    public Task WriteAsync(int model, IReadOnlyCollection<Order> orders, CancellationToken cancellationToken) => RunAsync(async () =>
    {
        if (orders.Count == 0)
        {
            return true;
        }

        await CreateIndexAsync(model, cancellationToken);

        // Where the stored order is as new or newer, the filter finds nothing, and the insert is refused because the order exists. It is refused also where
        // another writer inserts the order at the same moment: the second time, the filter finds that one. Sorted, so that writers do not wait in a circle.
        var writes = orders.OrderBy(static order => order.OrderId, StringComparer.Ordinal).Select(static order => new ReplaceOneModel<BsonDocument>(
            Where.Eq("_id", order.OrderId) & Where.Lt("version", order.Version), DocumentOf(order)) { IsUpsert = true }).ToList();
        for (var attempt = 1; attempt <= 2 && writes.Count > 0; attempt++)
        {
            try
            {
                await CollectionOf(model).BulkWriteAsync(writes, new BulkWriteOptions { IsOrdered = false }, cancellationToken);
                return true;
            }
            catch (MongoBulkWriteException<BsonDocument> refused) when (
                refused.WriteConcernError is null && refused.WriteErrors.All(static error => error.Category is ServerErrorCategory.DuplicateKey))
            {
                writes = [.. refused.WriteErrors.Select(error => writes[error.Index])];
            }
        }

        return true;
    });

    public Task<OrderPage> ListAsync(OrderState? state, string? before, int limit, CancellationToken cancellationToken) => RunAsync(async () =>
    {
        var filter = Where.Empty;
        if (state is { } wanted)
        {
            filter &= Where.Eq("state", wanted.ToString());
        }

        if (before is not null)
        {
            filter &= Where.Lt("_id", before);
        }

        while (true)
        {
            var active = (await GetModelsAsync(cancellationToken)).Active;
            var orders = CollectionOf(active);
            var items = await orders.Find(filter).SortByDescending(static order => order["_id"]).Limit(limit).ToListAsync(cancellationToken);
            var counts = await orders.Aggregate()
                .Group(new BsonDocument { { "_id", "$state" }, { "count", new BsonDocument("$sum", 1) } }).ToListAsync(cancellationToken);

            // A model is deleted only after another one serves: what was read before that is complete.
            if ((await GetModelsAsync(cancellationToken)).Active == active)
            {
                return new OrderPage(
                    items.ConvertAll(OrderOf),
                    counts.ToDictionary(static count => Enum.Parse<OrderState>(count["_id"].AsString), static count => count["count"].ToInt64()));
            }
        }
    });

    public Task<IReadOnlyDictionary<string, int>> VersionsAsync(int model, CancellationToken cancellationToken) =>
        RunAsync<IReadOnlyDictionary<string, int>>(async () =>
            (await CollectionOf(model).Find(Where.Empty).Project(Version).ToListAsync(cancellationToken)).ToDictionary(
                static order => order["_id"].AsString, static order => order["version"].ToInt32(), StringComparer.Ordinal));

    private async Task CreateIndexAsync(int model, CancellationToken cancellationToken)
    {
        if (!_indexed.ContainsKey(model))
        {
            await CollectionOf(model).Indexes.CreateOneAsync(
                new CreateIndexModel<BsonDocument>(Builders<BsonDocument>.IndexKeys.Ascending("state").Descending("_id")),
                cancellationToken: cancellationToken);
            _indexed[model] = true;
        }
    }

    // Also what a rebuild that was killed has left, and what a late writer has put into a deleted model.
    private async Task DeleteOthersAsync(Models models, CancellationToken cancellationToken)
    {
        var kept = models.All.Select(NameOf).ToHashSet(StringComparer.Ordinal);
        var names = await (await database.ListCollectionNamesAsync(cancellationToken: cancellationToken)).ToListAsync(cancellationToken);
        foreach (var name in names.Where(name => name.StartsWith(Prefix, StringComparison.Ordinal) && !kept.Contains(name)))
        {
            await database.DropCollectionAsync(name, cancellationToken);
        }
    }

    private IMongoCollection<BsonDocument> CollectionOf(int model) =>
        database.GetCollection<BsonDocument>(NameOf(model)).WithWriteConcern(WriteConcern.WMajority);

    private static string NameOf(int model) => $"{Prefix}{model}";

    private static Models From(BsonDocument found) =>
        new(found["active"].ToInt32(), found["building"] is { IsBsonNull: false } building ? building.ToInt32() : null);

    private static BsonDocument DocumentOf(Order order) => new()
    {
        { "_id", order.OrderId }, { "version", order.Version }, { "state", order.State.ToString() }, { "order", JsonSerializer.Serialize(order, Json) },
    };

    private static Order OrderOf(BsonDocument document) => JsonSerializer.Deserialize<Order>(document["order"].AsString, Json)!;

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
