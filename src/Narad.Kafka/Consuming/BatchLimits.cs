using System.Runtime.InteropServices;

namespace Narad.Kafka.Consuming;

/// <summary>When a batch is complete.</summary>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct BatchLimits(int Size, TimeSpan Wait);
