using Microsoft.Extensions.Logging;

namespace Narad.Kafka.Consuming;

/// <summary>
/// The token of one invocation that may only take so long: cancelled with the assignment's, or at the limit. What the handler registered on it
/// runs on the thread pool. Disposed by the invocation's owner; a limit that comes after that changes nothing. Thread-safe.
/// </summary>
internal sealed class TimeLimit : IDisposable
{
    private readonly Lock _gate = new();
    private readonly CancellationTokenSource _source;
    private readonly ITimer _timer;
    private readonly ILogger _logger;
    private bool _disposed;   // under _gate: a timer may fire while it is disposed, and a disposed source throws

    public TimeLimit(TimeSpan limit, CancellationToken assignment, TimeProvider time, ILogger logger)
    {
        _logger = logger;
        _source = CancellationTokenSource.CreateLinkedTokenSource(assignment);
        _timer = time.CreateTimer(static state => ((TimeLimit)state!).Expire(), this, limit, Timeout.InfiniteTimeSpan);
    }

    public CancellationToken Token => _source.Token;

    /// <summary>Whether the limit came before the invocation's end.</summary>
    public bool IsExpired { get; private set; }

    public void Dispose()
    {
        lock (_gate)
        {
            _disposed = true;
        }

        _timer.Dispose();
        _source.Dispose();
    }

    private void Expire()
    {
        Task cancelling;
        lock (_gate)
        {
            if (_disposed)
            {
                return;
            }

            IsExpired = true;
            cancelling = _source.CancelAsync();
        }

        _ = cancelling.ContinueWith(
            static (failed, logger) => ConsumingLog.CancellationFailed((ILogger)logger!, failed.Exception!.GetBaseException()),
            _logger,
            CancellationToken.None,
            TaskContinuationOptions.OnlyOnFaulted,
            TaskScheduler.Default);
    }
}
