namespace Narad.Kafka;

/// <summary>A pending message of an outbox.</summary>
/// <param name="Message">The message.</param>
/// <param name="Sequence">Its number in its bucket.</param>
/// <param name="Attempts">How often it was refused so far.</param>
/// <param name="EnqueuedAt">When, by the store's clock.</param>
public sealed record OutboxRow(OutboxMessage Message, long Sequence, int Attempts, DateTimeOffset EnqueuedAt);
