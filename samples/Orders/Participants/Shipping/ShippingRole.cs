using Narad.Kafka;
using Orders.Saga;

namespace Orders.Participants.Shipping;

/// <summary>Role <c>shipping</c>: may run several times.</summary>
internal static class ShippingRole
{
    public static void AddShipping(this NaradKafkaBuilder kafka) => kafka.AddParticipant(
        Topics.ShippingCommands,
        static types => types.On<ShipOrder, ShippingHandler>(ShipOrder.Type).On<CancelShipment, ShippingHandler>(CancelShipment.Type),
        group: "shipping-service");
}
