namespace Narad.Kafka.Failures;

/// <summary>Why a circuit is not closed: the latest failure's type (never its message, which may hold a secret), and since when.</summary>
internal sealed record CircuitOutage(Type Reason, DateTimeOffset Since);
