using MongoDB.Bson;
using MongoDB.Driver;
using Orders.Storage;

namespace Orders.Participants.Payment;

/// <summary>Collections <c>payments</c>, a document an order, and <c>bookings</c>, a document a movement. Thread-safe.</summary>
internal sealed class MongoPayments(OrdersDatabase database) : IPayments
{
    public const string PaymentsCollection = "payments";
    public const string BookingsCollection = "bookings";

    private readonly IMongoCollection<BsonDocument> _payments = database.Collection(PaymentsCollection);
    private readonly IMongoCollection<BsonDocument> _bookings = database.Collection(BookingsCollection);

    public async Task<OrderPayment?> FindAsync(string orderId, CancellationToken cancellationToken) =>
        await database.FindAsync(_payments, orderId, cancellationToken) is { } found
            ? new OrderPayment(
                orderId, Enum.Parse<PaymentState>(found["state"].AsString), found["paymentId"].AsString, found["amount"].AsDecimal,
                found["reason"].IsBsonNull ? null : found["reason"].AsString)
            : null;

    public Task SaveAsync(OrderPayment payment, decimal booked, CancellationToken cancellationToken) => database.InTransactionAsync(
        async (session, token) =>
        {
            await OrdersDatabase.SaveAsync(
                _payments,
                session,
                new BsonDocument
                {
                    { "_id", payment.OrderId }, { "state", payment.State.ToString() }, { "paymentId", payment.PaymentId }, { "amount", payment.Amount },
                    { "reason", BsonValue.Create(payment.Reason) },
                },
                token);
            if (booked != 0)
            {
                await _bookings.InsertOneAsync(
                    session, new BsonDocument { { "orderId", payment.OrderId }, { "amount", booked } }, cancellationToken: token);
            }

            return payment;
        },
        cancellationToken);

    public async Task<IReadOnlyList<Booking>> BookingsAsync(CancellationToken cancellationToken)
    {
        var found = await database.ReadAsync(
            _bookings, FilterDefinition<BsonDocument>.Empty, Builders<BsonDocument>.Sort.Ascending("_id"), limit: null, cancellationToken);
        return found.ConvertAll(static booking => new Booking(booking["orderId"].AsString, booking["amount"].AsDecimal));
    }
}
