using System.Collections.Concurrent;
using System.Diagnostics;

namespace Narad.Kafka.Benchmarks;

/// <summary>
/// A wait of 5 ms on average, as a database or a web service would take: <c>Task.Delay(5)</c> takes 6 to 9 ms where timers are coarse, which would
/// measure the timers. Thread-safe; the waits end in the order in which they began.
/// </summary>
internal sealed class Delays : IDisposable
{
    private const double Milliseconds = 5;
    private readonly ConcurrentQueue<(long Began, TaskCompletionSource Over)> _waiting = new();
    private readonly Thread _clock;
    private double _surplus;    // by how much all waits so far were too long; clock thread only
    private volatile bool _ended;

    public Delays()
    {
        _clock = new Thread(Run) { IsBackground = true, Priority = ThreadPriority.Highest };
        _clock.Start();
    }

    public Task WaitAsync()
    {
        var over = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _waiting.Enqueue((Stopwatch.GetTimestamp(), over));
        return over.Task;
    }

    public void Dispose()
    {
        _ended = true;
        _clock.Join();
    }

    private void Run()
    {
        while (!_ended)
        {
            // Looked at about every millisecond, so each wait is too long or too short by a part of that; what one is too long, others are shorter.
            while (_waiting.TryPeek(out var first)
                && Stopwatch.GetElapsedTime(first.Began).TotalMilliseconds is var waited
                && waited >= Milliseconds - Math.Clamp(_surplus, -1, 1))
            {
                _surplus += waited - Milliseconds;
                _waiting.TryDequeue(out first);
                first.Over.SetResult();
            }

            Thread.Sleep(1);
        }
    }
}
