namespace Narad.Kafka.Testing;

/// <summary>A message that failed and went to its retry or dead-letter topic.</summary>
/// <param name="Message">The message where it failed, and the error.</param>
/// <param name="Record">The coordinates of the retry record or dead letter.</param>
/// <param name="Due">When it is to be handled again, UTC; null for a dead letter.</param>
public sealed record ObservedFailure(FailedMessage Message, SendResult Record, DateTimeOffset? Due);
