using MongoDB.Bson;
using MongoDB.Driver;
using Orders.Events;
using Orders.Storage;

namespace Orders.Participants.Stock;

/// <summary>
/// Collections <c>reservations</c>, a document an order, and <c>stock</c>, a document an article (<c>{_id: sku, level}</c>). Transactions that change the level
/// of the same article conflict; the inbox runs one of them again. Thread-safe.
/// </summary>
internal sealed class MongoWarehouse(OrdersDatabase database) : IWarehouse
{
    public const string ReservationsCollection = "reservations";
    public const string StockCollection = "stock";

    private readonly IMongoCollection<BsonDocument> _reservations = database.Collection(ReservationsCollection);
    private readonly IMongoCollection<BsonDocument> _stock = database.Collection(StockCollection);

    public async Task<Reservation?> FindAsync(string orderId, CancellationToken cancellationToken) =>
        await database.FindAsync(_reservations, orderId, cancellationToken) is { } found ? Read(found) : null;

    public Task<string?> TryReserveAsync(string orderId, IReadOnlyList<OrderItem> items, CancellationToken cancellationToken) => database.InTransactionAsync(
        async (session, token) =>
        {
            // All levels are read before the first is changed.
            var levels = new List<BsonDocument>();
            foreach (var (sku, quantity) in StockLevels.Quantities(items))
            {
                var level = await LevelAsync(session, sku, token) - quantity;
                if (level < 0)
                {
                    return sku;
                }

                levels.Add(new BsonDocument { { "_id", sku }, { "level", level } });
            }

            foreach (var level in levels)
            {
                await OrdersDatabase.SaveAsync(_stock, session, level, token);
            }

            await OrdersDatabase.SaveAsync(_reservations, session, Document(new Reservation(orderId, ReservationState.Reserved, items, Reason: null)), token);
            return (string?)null;
        },
        cancellationToken);

    public Task AddAsync(Reservation reservation, CancellationToken cancellationToken) =>
        database.InTransactionAsync((session, token) => OrdersDatabase.SaveAsync(_reservations, session, Document(reservation), token), cancellationToken);

    public Task ReleaseAsync(Reservation reservation, CancellationToken cancellationToken) => database.InTransactionAsync(
        async (session, token) =>
        {
            foreach (var (sku, quantity) in StockLevels.Quantities(reservation.Items))
            {
                var level = await LevelAsync(session, sku, token) + quantity;
                await OrdersDatabase.SaveAsync(_stock, session, new BsonDocument { { "_id", sku }, { "level", level } }, token);
            }

            return await OrdersDatabase.SaveAsync(_reservations, session, Document(reservation with { State = ReservationState.Released }), token);
        },
        cancellationToken);

    public async Task<IReadOnlyDictionary<string, int>> LevelsAsync(CancellationToken cancellationToken)
    {
        var found = await database.ReadAsync(
            _stock, FilterDefinition<BsonDocument>.Empty, Builders<BsonDocument>.Sort.Ascending("_id"), limit: null, cancellationToken);
        return found.ToDictionary(static level => level["_id"].AsString, static level => level["level"].AsInt32, StringComparer.Ordinal);
    }

    private async Task<int> LevelAsync(IClientSessionHandle session, string sku, CancellationToken cancellationToken) =>
        (await _stock.Find(session, new BsonDocument("_id", sku)).FirstOrDefaultAsync(cancellationToken))?["level"].AsInt32 ?? StockLevels.Initial;

    private static BsonDocument Document(Reservation reservation) => new()
    {
        { "_id", reservation.OrderId },
        { "state", reservation.State.ToString() },
        { "items", new BsonArray(reservation.Items.Select(Document)) },
        { "reason", BsonValue.Create(reservation.Reason) },
    };

    private static BsonDocument Document(OrderItem item) => new() { { "sku", item.Sku }, { "quantity", item.Quantity }, { "price", item.Price } };

    private static Reservation Read(BsonDocument reservation) => new(
        reservation["_id"].AsString,
        Enum.Parse<ReservationState>(reservation["state"].AsString),
        [.. reservation["items"].AsBsonArray.Select(static item => new OrderItem(item["sku"].AsString, item["quantity"].AsInt32, item["price"].AsDecimal))],
        reservation["reason"].IsBsonNull ? null : reservation["reason"].AsString);
}
