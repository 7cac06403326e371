using System.Collections.Concurrent;
using Narad.Kafka.Diagnostics;

namespace Narad.Kafka.Transactions;

/// <summary>
/// A thread for calls that block, one after the other: neither the poll thread nor the thread pool waits for a broker. Thread-safe; what hangs when it is
/// disposed is left behind.
/// </summary>
internal sealed class BlockingCalls : IDisposable
{
    private readonly BlockingCollection<Action> _calls = [];

    public BlockingCalls(string name) => new Thread(Run) { IsBackground = true, Name = name }.Start();

    public Task<T> RunAsync<T>(Func<T> call)
    {
        var result = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        _calls.Add(() =>
        {
            try
            {
                result.TrySetResult(call());
            }
            catch (Exception error)
            {
                result.TrySetException(error);
            }
        });
        return result.Task.Observe();
    }

    /// <summary>Does this last, on the thread, behind what was asked for before.</summary>
    public void Finish(Action last)
    {
        RunAsync(() =>
        {
            last();
            return true;
        }).Forget();
        Dispose();
    }

    public void Dispose() => _calls.CompleteAdding();

    private void Run()
    {
        foreach (var call in _calls.GetConsumingEnumerable())
        {
            call();
        }

        _calls.Dispose();
    }
}
