namespace Narad.Kafka.Producing;

/// <summary>The sending side as the health check reports it.</summary>
/// <param name="State">What it is doing.</param>
/// <param name="Reason">Why it is not running as it should; null while all is well.</param>
internal readonly record struct ProducerHealth(ProducerState State, string? Reason);
