namespace Narad.Kafka.Testing;

/// <summary>Contexts for unit tests of handlers, with no broker and no service: what is not given is what a first message of a topic would have.</summary>
public static class TestMessageContext
{
    /// <summary>A context.</summary>
    /// <param name="topic">The topic.</param>
    /// <param name="key">The key; default none.</param>
    /// <param name="headers">The headers; default none.</param>
    /// <param name="partition">The partition.</param>
    /// <param name="offset">The offset.</param>
    /// <param name="group">The consumer group.</param>
    /// <param name="timestamp">The create time; default: the Unix epoch, so that tests are repeatable.</param>
    /// <param name="rawValue">The value as it came; default none.</param>
    /// <example>
    /// <code>
    /// await new BillOrder(database).HandleAsync(new OrderPlaced("o-1"), TestMessageContext.Create("orders", key: "o-1"), CancellationToken.None);
    /// </code>
    /// </example>
    public static MessageContext Create(
        string topic = "test-topic",
        MessageKey key = default,
        MessageHeaders? headers = null,
        int partition = 0,
        long offset = 0,
        string group = "test-group",
        DateTimeOffset? timestamp = null,
        ReadOnlyMemory<byte>? rawValue = null) => new()
        {
            Topic = topic,
            Key = key,
            Headers = headers ?? [],
            Partition = partition,
            Offset = offset,
            Group = group,
            Timestamp = timestamp ?? DateTimeOffset.UnixEpoch,
            RawValue = rawValue,
        };
}
