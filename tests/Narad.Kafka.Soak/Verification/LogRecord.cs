namespace Narad.Kafka.Soak.Verification;

/// <summary>
/// A message as the independent reader found it. <paramref name="Log"/> names topic, partition and, where a topic was created again, which of them.
/// </summary>
internal readonly record struct LogRecord(string Log, long Offset, int Key, int Sequence);
