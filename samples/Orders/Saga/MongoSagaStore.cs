using MongoDB.Bson;
using MongoDB.Driver;
using Orders.Events;
using Orders.Storage;

namespace Orders.Saga;

/// <summary>Collection <c>order-sagas</c>: <c>{_id: order, step, deadline}</c>, with an index of deadlines. Thread-safe.</summary>
internal sealed class MongoSagaStore(OrdersDatabase database) : ISagaStore
{
    public const string Collection = "order-sagas";
    public const string Deadline = "deadline";

    private readonly IMongoCollection<BsonDocument> _sagas = database.Collection(Collection);

    public async Task<SagaState?> FindAsync(string orderId, CancellationToken cancellationToken) =>
        await database.FindAsync(_sagas, orderId, cancellationToken) is { } found ? Read(found) : null;

    public Task SaveAsync(SagaState state, CancellationToken cancellationToken) => database.InTransactionAsync(
        (session, token) => OrdersDatabase.SaveAsync(
            _sagas,
            session,
            new BsonDocument { { "_id", state.OrderId }, { "step", state.Step.ToString() }, { Deadline, state.Deadline?.UtcDateTime } },
            token),
        cancellationToken);

    public async Task<IReadOnlyList<SagaState>> DueAsync(DateTimeOffset now, int limit, CancellationToken cancellationToken)
    {
        var found = await database.ReadAsync(
            _sagas, Builders<BsonDocument>.Filter.Lte(Deadline, now.UtcDateTime), Builders<BsonDocument>.Sort.Ascending(Deadline), limit, cancellationToken);
        return found.ConvertAll(Read);
    }

    private static SagaState Read(BsonDocument saga) => new(
        saga["_id"].AsString,
        Enum.Parse<OrderStep>(saga["step"].AsString),
        saga[Deadline] is BsonDateTime deadline ? new DateTimeOffset(deadline.ToUniversalTime(), TimeSpan.Zero) : null);
}
