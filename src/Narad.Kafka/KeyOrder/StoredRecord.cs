using System.Runtime.InteropServices;

namespace Narad.Kafka.KeyOrder;

/// <summary>A record as it was read from the retry topic; times in milliseconds since 1970.</summary>
/// <param name="Offset">Where it is there.</param>
/// <param name="Sequence">The tracker's number for it.</param>
/// <param name="Origin">Its place in its key's order: its offset in the source topic; of a stranger's see <see cref="Stranger"/>.</param>
/// <param name="Timestamp">Its timestamp there.</param>
/// <param name="Attempt">Which attempt it is for; 0 for one that only waits behind another.</param>
/// <param name="Due">When it may be handled.</param>
/// <param name="Writer">The assignment that wrote it; null where it does not say.</param>
/// <param name="Committed">What was committed in the source partition when it was written; null where it does not say.</param>
/// <param name="IsStranger">Whether no member of the group wrote it since the group's offsets were last set: it is handled, and nothing that it says of
/// other messages is believed.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct StoredRecord(long Offset, long Sequence, long Origin, long Timestamp, int Attempt, long Due, string? Writer,
    long? Committed, bool IsStranger)
{
    /// <summary>
    /// A record that no member of the group is known to have written: sent again by hand, from before the offsets were reset, or forged. It comes in front
    /// of all others of its key, which wait for it, and stands for no message of the source topic.
    /// </summary>
    public static StoredRecord Stranger(long offset, long sequence, long timestamp, int attempt, long due) =>
        new(offset, sequence, long.MinValue + offset, timestamp, attempt, due, Writer: null, Committed: null, IsStranger: true);
}
