using System.Runtime.InteropServices;

namespace Narad.Kafka.Failures;

/// <summary>Where a message was when it failed for the first time (its timestamp in milliseconds since 1970), and for whom.</summary>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct FailureOrigin(string Topic, int Partition, long Offset, long Timestamp, string Group);
