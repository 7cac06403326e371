namespace Narad.Kafka.Producing;

/// <summary>
/// What became of every accepted send, counted here and not by the client; the first three and <see cref="Late"/> add up to what was accepted.
/// </summary>
/// <param name="Delivered">Acknowledged.</param>
/// <param name="Failed">Refused or timed out.</param>
/// <param name="Unknown">Without an answer at the deadline.</param>
/// <param name="Abandoned">Client handles that did not close in time, by name.</param>
internal sealed record SendCounts(long Delivered, long Failed, long Unknown, IReadOnlyList<string> Abandoned)
{
    /// <summary>Acknowledged after the awaiter had been told that they failed.</summary>
    public long Late { get; init; }
}
