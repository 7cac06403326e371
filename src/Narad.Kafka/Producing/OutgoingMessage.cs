namespace Narad.Kafka;

/// <summary>A message on its way out, as middleware sees it: before serialization.</summary>
public sealed class OutgoingMessage
{
    /// <summary>The topic's real name. Middleware may set another topic, by its real or its logical name (<see cref="KafkaOptions.TopicNames"/>).</summary>
    public required string Topic { get; set; }

    /// <summary>The message; null for a tombstone.</summary>
    public required object? Message { get; set; }

    /// <summary>The type that the message was sent as (the serializer's choice depends on it).</summary>
    public required Type MessageType { get; init; }

    /// <summary>The key.</summary>
    public MessageKey Key { get; set; }

    /// <summary>The headers; a copy, so adding to it changes only this message.</summary>
    public required MessageHeaders Headers { get; init; }

    /// <summary>The partition, where one was named.</summary>
    public int? Partition { get; set; }

    /// <summary>The create time, where one was named.</summary>
    public DateTimeOffset? Timestamp { get; set; }

    /// <summary>The serializer of a route; null: the service's.</summary>
    internal IMessageSerializer? Serializer { get; init; }
}
