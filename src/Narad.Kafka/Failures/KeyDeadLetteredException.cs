namespace Narad.Kafka;

/// <summary>
/// Why a message is a dead letter that was never handled: an earlier one of its key became one, and <see cref="AfterDeadLetter.DeadLetterKey"/> was
/// chosen.
/// </summary>
/// <param name="message">Which message it is.</param>
public sealed class KeyDeadLetteredException(string message) : NaradKafkaException(message);
