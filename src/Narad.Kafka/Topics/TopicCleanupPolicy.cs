using System.Text.Json.Serialization;

namespace Narad.Kafka;

/// <summary>What becomes of a topic's old messages: <c>cleanup.policy</c>.</summary>
[Flags]
[JsonConverter(typeof(JsonStringEnumConverter<TopicCleanupPolicy>))]
public enum TopicCleanupPolicy
{
    /// <summary>Nothing: all are kept.</summary>
    None = 0,

    /// <summary>They are deleted by age or size (<c>delete</c>), Kafka's default.</summary>
    Delete = 1,

    /// <summary>The latest of each key is kept (<c>compact</c>).</summary>
    Compact = 2,
}
