namespace Narad.Kafka.Outbox;

/// <summary>Sends a message of the outbox as it is. Completes when Kafka acknowledged it; else throws a <see cref="KafkaSendException"/>.</summary>
internal delegate ValueTask<SendResult> OutboxTransport(OutboxMessage message);
