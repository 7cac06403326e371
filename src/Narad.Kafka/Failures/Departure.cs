namespace Narad.Kafka.Failures;

/// <summary>A message that leaves for another topic: it is not handled here any more, only moved, until its copy is acknowledged. Immutable.</summary>
/// <param name="Error">Why; null for one that only moves to the end of its retry topic.</param>
/// <param name="Retry">The attempt that its copy is for; null for a dead letter.</param>
/// <param name="Due">When its copy may be handled.</param>
internal sealed record Departure(Exception? Error, int? Retry = null, DateTimeOffset Due = default)
{
    /// <summary>To the end of the retry topic that it waits in, as it is.</summary>
    public static readonly Departure Hop = new(Error: null);
}
