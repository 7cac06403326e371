using MongoDB.Bson;
using MongoDB.Driver;
using Orders.Storage;

namespace Orders.Participants.Shipping;

/// <summary>Collection <c>shipments</c>, a document an order. Thread-safe.</summary>
internal sealed class MongoShipments(OrdersDatabase database) : IShipments
{
    public const string Collection = "shipments";

    private readonly IMongoCollection<BsonDocument> _shipments = database.Collection(Collection);

    public async Task<Shipment?> FindAsync(string orderId, CancellationToken cancellationToken) =>
        await database.FindAsync(_shipments, orderId, cancellationToken) is { } found ? Read(found) : null;

    public Task AddAsync(Shipment shipment, CancellationToken cancellationToken) => database.InTransactionAsync(
        async (session, token) =>
        {
            await _shipments.InsertOneAsync(
                session,
                new BsonDocument
                {
                    { "_id", shipment.OrderId },
                    { "trackingNumber", BsonValue.Create(shipment.TrackingNumber) },
                    { "address", BsonValue.Create(shipment.Address) },
                    { "reason", BsonValue.Create(shipment.Reason) },
                },
                cancellationToken: token);
            return shipment;
        },
        cancellationToken);

    public async Task<IReadOnlyList<Shipment>> AllAsync(CancellationToken cancellationToken)
    {
        var found = await database.ReadAsync(
            _shipments, FilterDefinition<BsonDocument>.Empty, Builders<BsonDocument>.Sort.Ascending("_id"), limit: null, cancellationToken);
        return found.ConvertAll(Read);
    }

    private static Shipment Read(BsonDocument shipment) =>
        new(shipment["_id"].AsString, Text(shipment["trackingNumber"]), Text(shipment["address"]), Text(shipment["reason"]));

    private static string? Text(BsonValue value) => value.IsBsonNull ? null : value.AsString;
}
