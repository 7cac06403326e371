using System.Runtime.InteropServices;

namespace Narad.Kafka.Failures;

/// <summary>A message of a retry topic that is not due yet; times in milliseconds since 1970.</summary>
/// <param name="Offset">Where it is.</param>
/// <param name="Sequence">The tracker's number for it.</param>
/// <param name="Due">When it may be handled.</param>
/// <param name="RepublishAt">When it may be moved to the end of the topic, if it stands in the way: half-way to when it is due.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct DelayedRetry(long Offset, long Sequence, long Due, long RepublishAt);
