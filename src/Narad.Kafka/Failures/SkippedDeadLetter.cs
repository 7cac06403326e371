namespace Narad.Kafka;

/// <summary>A dead letter that a redrive passed over.</summary>
/// <param name="Place">The dead-letter topic and partition.</param>
/// <param name="Offset">Its offset there.</param>
/// <param name="Reason">Why it was not sent again.</param>
/// <param name="Explanation">The same in words, with what to change.</param>
public sealed record SkippedDeadLetter(TopicPartitionId Place, long Offset, SkippedReason Reason, string Explanation);
