namespace Narad.Kafka;

/// <summary>What a redrive did.</summary>
/// <param name="Sent">Sent again and acknowledged; in a dry run, would have been.</param>
/// <param name="FilteredOut">Left out by the filter.</param>
/// <param name="Skipped">Those that could not be sent, counted by reason; empty where there were none. They stay, and a later redrive from the start finds
/// them.</param>
/// <param name="Positions">How far each partition was gone through: the next offset.</param>
/// <param name="Group">The group whose committed offsets are its progress.</param>
public sealed record RedriveReport(
    long Sent,
    long FilteredOut,
    IReadOnlyDictionary<SkippedReason, long> Skipped,
    IReadOnlyDictionary<TopicPartitionId, long> Positions,
    string Group)
{
    /// <summary>The first 100 of those that were passed over, in the order in which they were found.</summary>
    public IReadOnlyList<SkippedDeadLetter> FirstSkipped { get; init; } = [];
}
