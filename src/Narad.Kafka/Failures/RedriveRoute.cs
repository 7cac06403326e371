using System.Runtime.InteropServices;

namespace Narad.Kafka.Failures;

/// <summary>Where a dead letter goes when it is sent again; without an origin, as a new message.</summary>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct RedriveRoute(string Topic, int Partition, FailureOrigin? Origin);
