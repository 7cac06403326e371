using System.Text.Json.Serialization;

namespace Narad.Kafka;

/// <summary>Where messages go. Decided once, when first connected or at host start, and never switched later.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<KafkaMode>))]
public enum KafkaMode
{
    /// <summary>
    /// Kafka; in the Development environment, where no broker answers within <see cref="KafkaOptions.ConnectTimeout"/>,
    /// <see cref="Console"/> with one loud warning. A refused login, a wrong certificate or a missing token is not "no broker": it fails. The default.
    /// </summary>
    Auto,

    /// <summary>The brokers named in <see cref="KafkaOptions.Brokers"/>.</summary>
    Kafka,

    /// <summary>A broker inside this process (librdkafka's mock cluster), reachable on loopback; what it holds is lost at exit.</summary>
    Embedded,

    /// <summary>Nothing is sent: each message is logged as <c>[DEV] Would send to topic: …</c>; subscriptions stay silent.</summary>
    Console,
}
