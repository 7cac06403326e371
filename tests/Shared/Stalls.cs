using System.Diagnostics;

namespace Narad.Kafka.Shared;

/// <summary>
/// How long this machine kept a thread of the process waiting that only wanted to run, and other tests, which block threads of the pool, a work item: what a
/// test that measures lateness has to allow for. It says nothing of the code under test.
/// </summary>
internal sealed class Stalls : IDisposable
{
    private static readonly TimeSpan Nap = TimeSpan.FromMilliseconds(20);

    private readonly CancellationTokenSource _ended = new();
    private readonly Thread _sleeper;
    private readonly SemaphoreSlim _ran = new(0);
    private long _worst;

    public Stalls()
    {
        _sleeper = new Thread(Sleep) { IsBackground = true };
        _sleeper.Start();
    }

    /// <summary>The worst so far, some times over: what is measured has several steps, each of which may be kept waiting.</summary>
    public TimeSpan Allowance => TimeSpan.FromTicks(5 * Interlocked.Read(ref _worst));

    public void Dispose()
    {
        _ended.Cancel();
        _sleeper.Join();
        _ended.Dispose();
        _ran.Dispose();
    }

    private void Sleep()
    {
        while (!_ended.IsCancellationRequested)
        {
            var started = Stopwatch.GetTimestamp();
            Thread.Sleep(Nap);
            ThreadPool.QueueUserWorkItem(static ran => ran.Release(), _ran, preferLocal: false);
            _ran.Wait();
            var over = (Stopwatch.GetElapsedTime(started) - Nap).Ticks;
            if (over > Interlocked.Read(ref _worst))
            {
                Interlocked.Exchange(ref _worst, over);
            }
        }
    }
}
