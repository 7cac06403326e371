namespace Narad.Kafka;

/// <summary>A relay's right to work on a bucket. It is in force while the store has the same relay and the same fence for the bucket, and it has not
/// expired.</summary>
/// <param name="Bucket">The bucket.</param>
/// <param name="Relay">The relay's id.</param>
/// <param name="Fence">Grows each time the bucket is taken, also by the same relay.</param>
public sealed record OutboxLease(int Bucket, string Relay, long Fence);
