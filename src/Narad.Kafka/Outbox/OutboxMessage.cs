namespace Narad.Kafka;

/// <summary>A message as an outbox stores it: serialized, routed and checked, so that a relay sends it as it is.</summary>
public sealed record OutboxMessage
{
    /// <summary>How many buckets there are. Fixed for ever: another number would put messages of one key into two buckets.</summary>
    public const int BucketCount = 64;

    /// <summary>Its id: a UUIDv7 as text. It is the message's id (header <c>message-id</c>) unless the application set that header itself.</summary>
    public required string Id { get; init; }

    /// <summary>The topic's real name.</summary>
    public required string Topic { get; init; }

    /// <summary>Its bucket, 0 to <see cref="BucketCount"/> − 1: the same for all messages of one <see cref="KeyHash"/>.</summary>
    public required int Bucket { get; init; }

    /// <summary>
    /// Messages of one hash are sent in order, one after the other. A 64-bit hash of topic and key; without a key, of topic and partition; where neither is
    /// named, of the id, so that the message waits for no other one. Two keys of one hash merely wait for each other.
    /// </summary>
    public required long KeyHash { get; init; }

    /// <summary>The key's bytes; null: none.</summary>
    public byte[]? Key { get; init; }

    /// <summary>The value; null: a tombstone.</summary>
    public byte[]? Value { get; init; }

    /// <summary>The headers, in order; with trace context and message id.</summary>
    public required MessageHeaders Headers { get; init; }

    /// <summary>The partition, where one was named.</summary>
    public int? Partition { get; init; }

    /// <summary>The create time, where one was named; null: the time at which the relay sends it.</summary>
    public DateTimeOffset? Timestamp { get; init; }
}
