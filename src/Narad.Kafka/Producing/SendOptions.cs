namespace Narad.Kafka;

/// <summary>What a single send may add. Immutable, so that one instance can serve many sends.</summary>
/// <example>
/// <code>
/// var options = new SendOptions { Headers = new MessageHeaders().Add("origin", "import") };
/// await kafka.SendAsync("orders", order, key: order.OrderId, options);
/// </code>
/// </example>
public sealed record SendOptions
{
    /// <summary>Headers to add; default none.</summary>
    public MessageHeaders? Headers { get; init; }

    /// <summary>
    /// The partition to write to, from 0 (below 0: <see cref="ArgumentOutOfRangeException"/>); default: chosen from the key, as the Java client does.
    /// </summary>
    public int? Partition { get; init; }

    /// <summary>
    /// The message's create time, millisecond precision, from a millisecond after the beginning of 1970 (before: <see cref="ArgumentOutOfRangeException"/>);
    /// default: the time of sending.
    /// </summary>
    public DateTimeOffset? Timestamp { get; init; }

    /// <summary>The serializer of a route; null: the service's.</summary>
    internal IMessageSerializer? Serializer { get; init; }
}
