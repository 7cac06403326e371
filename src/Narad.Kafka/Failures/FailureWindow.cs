using System.Runtime.InteropServices;

namespace Narad.Kafka.Failures;

/// <summary>
/// How many messages succeeded and failed of late. It forgets in steps of a tenth of its length, so that counting costs the same however many there are.
/// It reads no clock: the caller says when. Thread-safe; counting takes no lock but for the first of a step.
/// </summary>
internal sealed class FailureWindow
{
    private const int Steps = 10;

    private readonly Lock _turning = new();
    private readonly Step[] _steps = new Step[Steps];
    private readonly long _length;   // of a step

    /// <summary>An empty one.</summary>
    /// <param name="length">The whole window's, in the units of the times that it is told.</param>
    public FailureWindow(long length)
    {
        _length = Math.Max(1, length / Steps);
        Clear();
    }

    public void CountSuccess(long now) => Interlocked.Increment(ref At(now).Successes);

    public void CountFailure(long now) => Interlocked.Increment(ref At(now).Failures);

    /// <summary>What was counted in the current step and the nine before it.</summary>
    public (long Messages, long Failures) Read(long now)
    {
        var current = now / _length;
        var (messages, failures) = (0L, 0L);
        lock (_turning)
        {
            foreach (ref var step in _steps.AsSpan())
            {
                if (step.Number > current - Steps && step.Number <= current)
                {
                    var failed = Interlocked.Read(ref step.Failures);
                    failures += failed;
                    messages += failed + Interlocked.Read(ref step.Successes);
                }
            }
        }

        return (messages, failures);
    }

    public void Clear()
    {
        lock (_turning)
        {
            foreach (ref var step in _steps.AsSpan())
            {
                Volatile.Write(ref step.Number, long.MinValue);
            }
        }
    }

    // A thread that comes late may count into a step that was cleared or taken over meanwhile: one message more or less in a statistic.
    private ref Step At(long now)
    {
        var number = now / _length;
        ref var step = ref _steps[number % Steps];
        if (Volatile.Read(ref step.Number) != number)
        {
            lock (_turning)
            {
                if (step.Number < number)
                {
                    Interlocked.Exchange(ref step.Successes, 0);
                    Interlocked.Exchange(ref step.Failures, 0);
                    Volatile.Write(ref step.Number, number);
                }
            }
        }

        return ref step;
    }

    [StructLayout(LayoutKind.Auto)]
    private struct Step
    {
        public long Number;
        public long Successes;
        public long Failures;
    }
}
