namespace Narad.Kafka.Consuming;

/// <summary>Why something is not consumed at the moment, or will be lost, what to do about it, and how long that has lasted.</summary>
/// <param name="Text">Cause and remedy, a sentence or two.</param>
/// <param name="Lasted">Since when.</param>
/// <param name="NeverUnhealthy">Whether the health check is degraded at most: consuming continues, or the application's own handlers take that long.</param>
internal readonly record struct Stall(string Text, TimeSpan Lasted, bool NeverUnhealthy = false);
