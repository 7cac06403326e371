namespace Narad.Kafka;

/// <summary>Why an earlier attempt to handle a message failed, as its retry record tells.</summary>
/// <param name="ExceptionType">The full name of the exception's type.</param>
/// <param name="ExceptionMessage">The exception's message, at most 1,024 characters; null where <see cref="KafkaOptions.ExceptionTextInHeaders"/> is off or the
/// record had no room for it.</param>
/// <param name="ExceptionStack">The exception's stack trace, at most 4,096 characters; null as <paramref name="ExceptionMessage"/>.</param>
public sealed record MessageFailure(string ExceptionType, string? ExceptionMessage, string? ExceptionStack);
