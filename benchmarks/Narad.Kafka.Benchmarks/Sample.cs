using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Narad.Kafka.Benchmarks;

/// <summary>What one contestant did in one round.</summary>
/// <param name="Value">In the row's unit.</param>
/// <param name="BytesPerMessage">Allocated by the whole process meanwhile, a message; null where it says nothing.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct Sample(double Value, double? BytesPerMessage)
{
    /// <summary>Counts time and allocations from now on.</summary>
    public static Stretch Start() => new(GC.GetTotalAllocatedBytes(precise: true), Stopwatch.GetTimestamp());

    [StructLayout(LayoutKind.Auto)]
    internal readonly record struct Stretch(long Allocated, long Started)
    {
        public Sample PerSecond(long messages)
        {
            var elapsed = Stopwatch.GetElapsedTime(Started);
            var allocated = GC.GetTotalAllocatedBytes(precise: true) - Allocated;
            return new Sample(messages / elapsed.TotalSeconds, (double)allocated / messages);
        }
    }
}
