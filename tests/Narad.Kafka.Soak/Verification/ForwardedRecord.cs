namespace Narad.Kafka.Soak.Verification;

/// <summary>A message as the independent reader found it, with everything that a copy must keep and what it says of its origin.</summary>
/// <param name="Place">Where it is, and which message.</param>
/// <param name="Key">The key's bytes.</param>
/// <param name="Value">The value's bytes.</param>
/// <param name="Written">Its timestamp, in milliseconds since 1970.</param>
/// <param name="Origin">Topic, partition and offset of the message that it is a copy of; null where it names none.</param>
/// <param name="Retry">The attempt that it is for.</param>
/// <param name="Due">When it may be handled, in milliseconds since 1970.</param>
/// <param name="Writer">Who wrote it, where copies say so, and what it knew to be committed.</param>
internal sealed record ForwardedRecord(LogRecord Place, byte[]? Key, byte[]? Value, long Written, string? Origin, int Retry, long Due, string? Writer = null)
{
    /// <summary>How a copy of this message names its origin.</summary>
    public string Name => $"{Place.Log}@{Place.Offset}";
}
