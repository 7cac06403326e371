using System.Numerics;

namespace QuickStart.Verification.Recording;

/// <summary>
/// A histogram of durations in a fixed 30 KiB: whole microseconds, in 64 steps for each power of two, so that a percentile is at most
/// 1.6 % too high. Single-threaded.
/// </summary>
internal sealed class Latencies
{
    private const int StepBits = 6;
    private const int Steps = 1 << StepBits;

    private readonly long[] _counts = new long[(64 - StepBits) * Steps];
    private long _total;

    public void Add(TimeSpan duration)
    {
        _counts[Bucket(Math.Max(0L, (long)duration.TotalMicroseconds))]++;
        _total++;
    }

    /// <summary>The duration that this share of all is not above; null while there is none.</summary>
    /// <param name="share">0.5 for the median, 0.99 for p99.</param>
    public TimeSpan? Percentile(double share)
    {
        var wanted = Math.Max(1L, (long)Math.Ceiling(share * _total));
        var seen = 0L;
        for (var bucket = 0; bucket < _counts.Length; bucket++)
        {
            seen += _counts[bucket];
            if (seen >= wanted)
            {
                return TimeSpan.FromMicroseconds(Highest(bucket));
            }
        }

        return null;
    }

    // Values below 128 have a bucket of their own; above, the leading 7 bits choose it.
    private static int Bucket(long value)
    {
        var shift = Math.Max(0, BitOperations.Log2((ulong)value) - StepBits);
        return (shift * Steps) + (int)(value >> shift);
    }

    private static long Highest(int bucket)
    {
        var shift = Math.Max(0, (bucket / Steps) - 1);
        return (((bucket - (shift * Steps)) + 1L) << shift) - 1;
    }
}
