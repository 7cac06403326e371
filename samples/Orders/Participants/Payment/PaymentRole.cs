using Narad.Kafka;
using Orders.Saga;

namespace Orders.Participants.Payment;

/// <summary>Role <c>payment</c>: may run several times.</summary>
internal static class PaymentRole
{
    public static void AddPayment(this NaradKafkaBuilder kafka) => kafka.AddParticipant(
        Topics.PaymentCommands,
        static types => types.On<ChargePayment, PaymentHandler>(ChargePayment.Type).On<RefundPayment, PaymentHandler>(RefundPayment.Type),
        group: "payment-service");
}
