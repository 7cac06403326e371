namespace MessageStore;

/// <summary>A message as it is in the topic.</summary>
public record Message
{
    /// <summary>A UUIDv7: the key of the message, and the id of its document. Ids sort by time.</summary>
    public required string Id { get; init; }

    /// <summary>What the client sent.</summary>
    public required string Text { get; init; }

    /// <summary>When the API took it; milliseconds.</summary>
    public required DateTimeOffset CreatedAt { get; init; }
}

/// <summary>A message as it is stored.</summary>
public sealed record StoredText : Message
{
    /// <summary>Whether Kafka confirmed it. The API produces what is not marked.</summary>
    public bool Produced { get; init; }
}
