using Narad.Kafka;
using Orders.Saga;

namespace Orders.Participants.Payment;

/// <summary>
/// The payment service. What it decided about an order it remembers, so that a command that comes again gets the same answer, and a charge that comes after its
/// refund (a dead letter that was redriven) takes no money.
/// </summary>
internal sealed class PaymentHandler(IPayments payments, Misbehaviour misbehaviour, IOutbox outbox)
    : IMessageHandler<ChargePayment>, IMessageHandler<RefundPayment>
{
    public async Task HandleAsync(ChargePayment message, MessageContext context, CancellationToken cancellationToken)
    {
        await misbehaviour.ApplyAsync(ParticipantBehaviours.Payment, cancellationToken);
        var payment = await payments.FindAsync(message.OrderId, cancellationToken);
        if (payment is null)
        {
            payment = misbehaviour.Refuses(ParticipantBehaviours.Payment)
                ? new OrderPayment(message.OrderId, PaymentState.Refused, NewId(), 0, "The payment was refused.")
                : new OrderPayment(message.OrderId, PaymentState.Charged, NewId(), message.Amount, Reason: null);
            await payments.SaveAsync(payment, booked: payment.Amount, cancellationToken);
        }

        OrderReply reply = payment.State is PaymentState.Charged
            ? new PaymentCharged(payment.OrderId, payment.PaymentId, payment.Amount)
            : new PaymentRefused(payment.OrderId, payment.Reason ?? "The payment was paid back.");
        await outbox.EnqueueAsync(reply, cancellationToken: cancellationToken);
    }

    public async Task HandleAsync(RefundPayment message, MessageContext context, CancellationToken cancellationToken)
    {
        await misbehaviour.ApplyAsync(ParticipantBehaviours.Payment, cancellationToken);
        var payment = await payments.FindAsync(message.OrderId, cancellationToken);
        if (payment is null)
        {
            payment = new OrderPayment(message.OrderId, PaymentState.Refunded, NewId(), 0, "The order was cancelled before it was charged.");
            await payments.SaveAsync(payment, booked: 0, cancellationToken);
        }
        else if (payment.State is PaymentState.Charged)
        {
            payment = payment with { State = PaymentState.Refunded };
            await payments.SaveAsync(payment, booked: -payment.Amount, cancellationToken);
        }

        await outbox.EnqueueAsync<OrderReply>(new PaymentReturned(payment.OrderId, payment.Amount), cancellationToken: cancellationToken);
    }

    private static string NewId() => Guid.CreateVersion7().ToString();
}
