namespace Narad.Kafka.Failures;

/// <summary>A message that leaves for another topic: it is not handled here any more, only moved, until its record is acknowledged. Immutable.</summary>
/// <param name="Error">Why; null for one that only moves to the end of its retry topic.</param>
/// <param name="Retry">The attempt that its record is for; null for a dead letter.</param>
/// <param name="Due">When its record may be handled.</param>
internal sealed record Forwarding(Exception? Error, int? Retry = null, DateTimeOffset Due = default)
{
    /// <summary>To the end of the retry topic that it waits in, as it is.</summary>
    public static readonly Forwarding Republish = new(Error: null);

    /// <summary>To its retry topic, where it waits behind its key's failed message.</summary>
    public static readonly Forwarding BehindKey = new(Error: null);

    /// <summary>Nowhere: it is handled, and only the record that says so is to be written.</summary>
    public static readonly Forwarding MarkFinished = new(Error: null);

    /// <summary>As <see cref="MarkFinished"/>, and the others of its key are to be dead-lettered.</summary>
    public static readonly Forwarding MarkFinishedAndDeadLetterKey = new(Error: null);
}
