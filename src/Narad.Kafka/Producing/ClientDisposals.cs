using Microsoft.Extensions.Logging;

namespace Narad.Kafka.Producing;

/// <summary>
/// Closes clients on threads of their own, because closing one may block for a minute where a broker hangs, and knows which are not closed yet. Thread-safe.
/// </summary>
internal sealed class ClientDisposals(TimeProvider time, ILogger logger)
{
    private readonly Lock _lock = new();
    private readonly List<(string Name, Task Disposal)> _disposals = [];

    public void Dispose(IProducerClient client)
    {
        var disposal = Task.Factory.StartNew(
            static state => ((IProducerClient)state!).Dispose(),
            client,
            CancellationToken.None,
            TaskCreationOptions.LongRunning,
            TaskScheduler.Default);
        lock (_lock)
        {
            _disposals.RemoveAll(static entry => entry.Disposal.IsCompleted);
            _disposals.Add((client.Name, disposal));
        }
    }

    /// <summary>Waits for the closing of all.</summary>
    /// <returns>Who did not close in time, by name.</returns>
    public async Task<IReadOnlyList<string>> WaitAsync(TimeSpan timeout)
    {
        List<(string Name, Task Disposal)> disposals;
        lock (_lock)
        {
            disposals = [.. _disposals];
        }

        await Task.WhenAny(Task.WhenAll(disposals.Select(entry => entry.Disposal)), Task.Delay(timeout, time)).ConfigureAwait(false);
        List<string> abandoned = [];
        foreach (var (name, disposal) in disposals)
        {
            if (!disposal.IsCompleted)
            {
                ProducingLog.Abandoned(logger, name);
                abandoned.Add(name);
            }
        }

        return abandoned;
    }
}
