using System.Runtime.InteropServices;

namespace Narad.Kafka.Clients.Interop;

/// <summary>What a group has committed in a partition.</summary>
/// <param name="Offset">The offset.</param>
/// <param name="Metadata">The text beside it; null or empty where there is none.</param>
/// <param name="LeaderEpoch">The leader epoch that was committed with it; null where there was none.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct CommittedOffset(long Offset, string? Metadata, int? LeaderEpoch = null);
