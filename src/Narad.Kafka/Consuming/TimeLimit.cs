using Microsoft.Extensions.Logging;

namespace Narad.Kafka.Consuming;

/// <summary>
/// The token of one invocation that has a time limit: cancelled at the limit, or with its assignment. What is registered on it never runs on the
/// timer's thread, and a timer that fires while this is disposed does nothing. Thread-safe.
/// </summary>
internal sealed class TimeLimit : IDisposable
{
    // Without timer and wait handle of its own it holds nothing that must be disposed, so a late timer may cancel it harmlessly.
    private readonly CancellationTokenSource _source = new();
    private readonly CancellationTokenRegistration _assignment;
    private readonly ITimer _timer;
    private readonly ILogger _logger;
    private volatile bool _expired;

    public TimeLimit(TimeSpan limit, TimeProvider time, ILogger logger, CancellationToken assignment)
    {
        _logger = logger;
        _assignment = assignment.UnsafeRegister(static self => ((TimeLimit)self!).Cancel(), this);
        _timer = time.CreateTimer(static self => ((TimeLimit)self!).Expire(), this, limit, Timeout.InfiniteTimeSpan);
    }

    public CancellationToken Token => _source.Token;

    /// <summary>Whether the limit passed.</summary>
    public bool IsExpired => _expired;

    public void Dispose()
    {
        _timer.Dispose();
        _assignment.Dispose();
    }

    private void Expire()
    {
        _expired = true;
        Cancel();
    }

    private void Cancel() => _source.CancelInBackground(_logger);
}
