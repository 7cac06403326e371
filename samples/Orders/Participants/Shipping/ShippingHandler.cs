using Narad.Kafka;
using Orders.Saga;

namespace Orders.Participants.Shipping;

/// <summary>
/// The shipping service. A parcel that has left cannot be undone, so the first command decides: what comes later gets the same answer, also if it asks for the
/// opposite.
/// </summary>
internal sealed class ShippingHandler(IShipments shipments, Misbehaviour misbehaviour, IOutbox outbox)
    : IMessageHandler<ShipOrder>, IMessageHandler<CancelShipment>
{
    public Task HandleAsync(ShipOrder message, MessageContext context, CancellationToken cancellationToken) => AnswerAsync(
        message,
        () => misbehaviour.Refuses(ParticipantBehaviours.Shipping)
            ? new Shipment(message.OrderId, TrackingNumber: null, Address: null, "The address cannot be delivered to.")
            : new Shipment(message.OrderId, $"T-{Guid.CreateVersion7():N}", message.DeliveryAddress, Reason: null),
        cancellationToken);

    public Task HandleAsync(CancelShipment message, MessageContext context, CancellationToken cancellationToken) => AnswerAsync(
        message,
        () => new Shipment(message.OrderId, TrackingNumber: null, Address: null, "The shipment was called off."),
        cancellationToken);

    private async Task AnswerAsync(ShippingCommand command, Func<Shipment> decide, CancellationToken cancellationToken)
    {
        await misbehaviour.ApplyAsync(ParticipantBehaviours.Shipping, cancellationToken);
        var shipment = await shipments.FindAsync(command.OrderId, cancellationToken);
        if (shipment is null)
        {
            shipment = decide();
            await shipments.AddAsync(shipment, cancellationToken);
        }

        OrderReply reply = shipment.TrackingNumber is { } number
            ? new ParcelShipped(shipment.OrderId, number)
            : new ParcelRefused(shipment.OrderId, shipment.Reason!);
        await outbox.EnqueueAsync(reply, cancellationToken: cancellationToken);
    }
}
