using System.Runtime.InteropServices;

namespace Narad.Kafka.Soak.Verification;

/// <summary>
/// One handler that finished: which message, in which member, and when (ticks of <see cref="System.Diagnostics.Stopwatch"/>, one clock for all processes).
/// </summary>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct Handling(int Key, int Sequence, int Member, long Started, long Finished);
