using System.Text.Json.Serialization;

namespace Narad.Kafka;

/// <summary>Whether a subscription starts messages, or waits for what its handler needs: see <see cref="SubscriptionOptions.CircuitBreaker"/>.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<CircuitState>))]
public enum CircuitState
{
    /// <summary>Messages are started as they come; also where there is no circuit breaker.</summary>
    Closed,

    /// <summary>Too many failed: nothing is started until the next probe.</summary>
    Open,

    /// <summary>One message is started; how it ends decides.</summary>
    HalfOpen,
}
