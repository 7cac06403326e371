using System.Collections.Concurrent;
using System.Diagnostics;

namespace Narad.Kafka.Benchmarks;

/// <summary>
/// A wait of 5 ms on average, as a database or a web service would take: <c>Task.Delay(5)</c> takes 6 to 9 ms where timers are coarse, which would
/// measure the timers. Thread-safe; the waits end in the order in which they began.
/// </summary>
internal sealed class Delays : IDisposable
{
    // The rest is half of the millisecond between two looks, and the way back to a thread of the pool.
    private static readonly TimeSpan Due = TimeSpan.FromMilliseconds(4);
    private readonly ConcurrentQueue<(long Began, TaskCompletionSource Over)> _waiting = new();
    private readonly Thread _clock;
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
            while (_waiting.TryPeek(out var first) && Stopwatch.GetElapsedTime(first.Began) >= Due)
            {
                _waiting.TryDequeue(out first);
                first.Over.SetResult();
            }

            Thread.Sleep(1);
        }
    }
}
