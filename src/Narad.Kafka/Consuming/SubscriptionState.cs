using System.Text.Json.Serialization;

namespace Narad.Kafka;

/// <summary>What a subscription is doing.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<SubscriptionState>))]
public enum SubscriptionState
{
    /// <summary>The group is being joined.</summary>
    Joining,

    /// <summary>Messages are handled as they come (none, where other members have all partitions).</summary>
    Running,

    /// <summary>The topic does not exist; the subscription starts by itself within 5 s of its creation.</summary>
    TopicMissing,

    /// <summary>It ended for good by itself: <see cref="ISubscription.Error"/> tells why.</summary>
    Faulted,

    /// <summary>It was disconnected.</summary>
    Ended,
}
