namespace Narad.Kafka;

/// <summary>
/// Retries in memory. They hold the key (with <see cref="MessageOrder.ByPartition"/> the partition, with <see cref="MessageOrder.Unordered"/> only the
/// message); others continue.
/// </summary>
public sealed class InMemoryRetryOptions
{
    /// <summary>How often a failed invocation is retried. 0 to 1,000; default 0.</summary>
    public int MaxAttempts { get; set; }

    /// <summary>The delay before the first retry; see <see cref="BackoffType"/> for the others. 0 to 1 day; default 0.</summary>
    public TimeSpan Delay { get; set; }

    /// <summary>The longest delay. Above 0, at most 1 day; default 1 day.</summary>
    public TimeSpan? MaxDelay { get; set; }

    /// <summary>How the delay grows. Default <see cref="DelayBackoffType.Constant"/>.</summary>
    public DelayBackoffType BackoffType { get; set; }

    /// <summary>
    /// Whether each delay is up to 25 % shorter or longer by chance, so that messages that failed together are not retried together. Default false.
    /// </summary>
    public bool UseJitter { get; set; }

    /// <summary>
    /// The delay before retry 1, 2, …, instead of <see cref="Delay"/> and <see cref="BackoffType"/>. Its result is limited to <see cref="MaxDelay"/>;
    /// where it throws, the delay is 0. Code only.
    /// </summary>
    public Func<int, TimeSpan>? DelayGenerator { get; set; }

    /// <summary>Which failures are retried. Default: all. Where it throws, the failure is not retried. Code only.</summary>
    public Func<Exception, bool>? ShouldHandle { get; set; }

    internal Backoff Backoff => Backoff.From(Delay, MaxDelay, BackoffType, UseJitter, DelayGenerator);
}
