namespace Narad.Kafka;

/// <summary>A message of an outbox that was refused too often and is not sent again by itself.</summary>
/// <param name="Message">The message.</param>
/// <param name="Attempts">How often it was refused.</param>
/// <param name="Reason">Why, the last time.</param>
/// <param name="HoldsKey">Whether later messages of its key wait until it is retried or discarded.</param>
/// <param name="EnqueuedAt">When it was enqueued, by the store's clock.</param>
/// <param name="SetAsideAt">When it was set aside, by the store's clock.</param>
public sealed record SetAsideMessage(
    OutboxMessage Message, int Attempts, string Reason, bool HoldsKey, DateTimeOffset EnqueuedAt, DateTimeOffset SetAsideAt);
