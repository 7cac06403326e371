using System.Runtime.InteropServices;

namespace Narad.Kafka.Parking;

/// <summary>A copy as it was read from the retry topic; times in milliseconds since 1970.</summary>
/// <param name="Offset">Where it is there.</param>
/// <param name="Arrival">The tracker's number for it.</param>
/// <param name="Origin">Its offset in the source topic.</param>
/// <param name="Timestamp">Its timestamp there.</param>
/// <param name="Attempt">Which attempt it is for; 0 for one that only waits behind another.</param>
/// <param name="Due">When it may be handled.</param>
/// <param name="Writer">The assignment that wrote it; null where it does not say.</param>
/// <param name="Committed">What was committed in the source partition when it was written; null where it does not say.</param>
/// <param name="IsRedriven">Whether somebody sent it again: it says nothing of how far its key was handled.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct ParkedRecord(long Offset, long Arrival, long Origin, long Timestamp, int Attempt, long Due, string? Writer, long? Committed, bool IsRedriven);
