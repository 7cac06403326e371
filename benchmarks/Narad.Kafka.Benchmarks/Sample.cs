using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Narad.Kafka.Benchmarks;

/// <summary>What one candidate did in one round.</summary>
/// <param name="Value">In the row's unit.</param>
/// <param name="BytesPerMessage">Allocated by the whole process meanwhile, a message; null where it says nothing.</param>
/// <param name="MicrosecondsPerMessage">Processor time of the whole process meanwhile, an embedded broker included, a message; null where it says
/// nothing.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct Sample(double Value, double? BytesPerMessage, double? MicrosecondsPerMessage = null)
{
    /// <summary>Counts time, allocations and processor time from now on.</summary>
    public static Stretch Start() => new(GC.GetTotalAllocatedBytes(precise: true), Environment.CpuUsage.TotalTime, Stopwatch.GetTimestamp());

    [StructLayout(LayoutKind.Auto)]
    internal readonly record struct Stretch(long Allocated, TimeSpan Processor, long Started)
    {
        public Sample PerSecond(long messages)
        {
            var elapsed = Stopwatch.GetElapsedTime(Started);
            var processor = Environment.CpuUsage.TotalTime - Processor;
            var allocated = GC.GetTotalAllocatedBytes(precise: true) - Allocated;
            return new Sample(messages / elapsed.TotalSeconds, (double)allocated / messages, processor.TotalMicroseconds / messages);
        }
    }
}
