using MongoDB.Bson;
using MongoDB.Driver;
using Narad.Kafka;
using Orders.Participants.Payment;
using Orders.Participants.Shipping;
using Orders.Participants.Stock;
using Orders.Saga;

namespace Orders.Storage;

/// <summary>Creates collections and indexes before anything else starts: a transaction cannot.</summary>
internal sealed class OrdersIndexes(OrdersDatabase database) : IHostedLifecycleService
{
    private static readonly IndexKeysDefinitionBuilder<BsonDocument> Keys = Builders<BsonDocument>.IndexKeys;

    // What is first written in a transaction.
    private static readonly string[] Collections =
    [
        MongoOrderEventStore.EventsCollection, MongoOrderEventStore.KeysCollection, MongoSagaStore.Collection, MongoPayments.PaymentsCollection,
        MongoPayments.BookingsCollection, MongoWarehouse.ReservationsCollection, MongoWarehouse.StockCollection, MongoShipments.Collection,
    ];

    public async Task StartingAsync(CancellationToken cancellationToken)
    {
        try
        {
            foreach (var collection in Collections)
            {
                await database.CreateAsync(collection, cancellationToken);
            }

            await database.Collection(MongoOrderEventStore.EventsCollection).Indexes.CreateOneAsync(
                new CreateIndexModel<BsonDocument>(
                    Keys.Ascending(MongoOrderEventStore.OrderId).Ascending(MongoOrderEventStore.Version),
                    new CreateIndexOptions { Name = "order-version", Unique = true }),
                cancellationToken: cancellationToken);
            await database.Collection(MongoSagaStore.Collection).Indexes.CreateOneAsync(
                new CreateIndexModel<BsonDocument>(Keys.Ascending(MongoSagaStore.Deadline), new CreateIndexOptions { Name = "deadline" }),
                cancellationToken: cancellationToken);
        }
        catch (Exception failure) when (failure is MongoException or TimeoutException)
        {
            throw new StoreUnavailableException("The indexes of the orders could not be created: MongoDB does not answer.", failure);
        }
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
