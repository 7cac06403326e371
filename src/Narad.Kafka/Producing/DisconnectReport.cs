namespace Narad.Kafka;

/// <summary>What became of everything that was sent, counted by the library itself: the three add up to what was accepted.</summary>
/// <param name="Delivered">Acknowledged by the broker, over the life of the service.</param>
/// <param name="Failed">Refused or timed out, over the life of the service.</param>
/// <param name="Unknown">Without an answer at the deadline; they may have been written.</param>
/// <param name="Abandoned">What did not stop in time, by name (a hung client handle, a handler that ignores its token); empty when all went well.</param>
public sealed record DisconnectReport(long Delivered, long Failed, long Unknown, IReadOnlyList<string> Abandoned);
