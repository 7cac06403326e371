namespace Narad.Kafka;

/// <summary>A page of dead letters.</summary>
/// <param name="Items">The dead letters, by partition, in offset order.</param>
/// <param name="Continuation">What to give for the next page; null where all were seen. Text of letters, digits and <c>._-@:,</c> alone; the next page may
/// be empty.</param>
/// <param name="Positions">How far each partition was read: the next offset.</param>
public sealed record DeadLetterPage(IReadOnlyList<DeadLetter> Items, string? Continuation, IReadOnlyDictionary<TopicPartitionId, long> Positions);
