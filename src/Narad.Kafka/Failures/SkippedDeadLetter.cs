namespace Narad.Kafka;

/// <summary>A dead letter that a redrive passed over.</summary>
/// <param name="Position">Its coordinates in the dead-letter topic.</param>
/// <param name="Reason">Why it was not sent again.</param>
/// <param name="Explanation">The same in words, with what to change.</param>
public sealed record SkippedDeadLetter(TopicPartitionOffsetId Position, SkippedReason Reason, string Explanation);
