namespace Narad.Kafka;

/// <summary>What an outbox holds.</summary>
/// <param name="Pending">How many messages are pending.</param>
/// <param name="OldestPending">The age of the oldest pending message, by the store's clock; null where there is none.</param>
/// <param name="SetAside">How many messages are set aside.</param>
public sealed record OutboxStatistics(long Pending, TimeSpan? OldestPending, long SetAside);
