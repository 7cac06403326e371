using Narad.Kafka;
using Orders.Saga;

namespace Orders.Participants.Stock;

/// <summary>
/// The warehouse. What it decided about an order it remembers, so that a command that comes again gets the same answer, and a reservation that comes after its
/// release takes nothing.
/// </summary>
internal sealed class StockHandler(IWarehouse warehouse, Misbehaviour misbehaviour, IOutbox outbox)
    : IMessageHandler<ReserveStock>, IMessageHandler<ReleaseStock>
{
    public async Task HandleAsync(ReserveStock message, MessageContext context, CancellationToken cancellationToken)
    {
        await misbehaviour.ApplyAsync(ParticipantBehaviours.Stock, cancellationToken);
        var reservation = await warehouse.FindAsync(message.OrderId, cancellationToken) ?? await ReserveAsync(message, cancellationToken);
        OrderReply reply = reservation.State is ReservationState.Reserved
            ? new StockTaken(reservation.OrderId)
            : new StockRefused(reservation.OrderId, reservation.Reason ?? "The stock was released.");
        await outbox.EnqueueAsync(reply, cancellationToken: cancellationToken);
    }

    public async Task HandleAsync(ReleaseStock message, MessageContext context, CancellationToken cancellationToken)
    {
        await misbehaviour.ApplyAsync(ParticipantBehaviours.Stock, cancellationToken);
        switch (await warehouse.FindAsync(message.OrderId, cancellationToken))
        {
            case null:
                await warehouse.AddAsync(
                    new Reservation(message.OrderId, ReservationState.Released, [], "The order was cancelled before stock was reserved."), cancellationToken);
                break;
            case { State: ReservationState.Reserved } reserved:
                await warehouse.ReleaseAsync(reserved, cancellationToken);
                break;
        }

        await outbox.EnqueueAsync<OrderReply>(new StockReturned(message.OrderId), cancellationToken: cancellationToken);
    }

    private async Task<Reservation> ReserveAsync(ReserveStock message, CancellationToken cancellationToken)
    {
        var reason = misbehaviour.Refuses(ParticipantBehaviours.Stock) ? "The warehouse refused the order."
            : await warehouse.TryReserveAsync(message.OrderId, message.Items, cancellationToken) is { } missing ? $"There is too little of '{missing}'."
            : null;
        if (reason is null)
        {
            return new Reservation(message.OrderId, ReservationState.Reserved, message.Items, Reason: null);
        }

        var refused = new Reservation(message.OrderId, ReservationState.Refused, [], reason);
        await warehouse.AddAsync(refused, cancellationToken);
        return refused;
    }
}
