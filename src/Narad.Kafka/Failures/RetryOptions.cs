namespace Narad.Kafka;

/// <summary>What happens when a handler fails, before the partition stops. Default: nothing is repeated.</summary>
public sealed class RetryOptions
{
    internal int InMemoryRetries { get; private set; }

    internal Func<int, TimeSpan> InMemoryDelay { get; private set; } = static _ => TimeSpan.Zero;

    internal Func<Exception, bool>? InMemoryFilter { get; private set; }

    /// <summary>
    /// Repeats a failed invocation in memory. The repetitions hold the key (with <see cref="MessageOrder.ByPartition"/> the partition, with
    /// <see cref="MessageOrder.Unordered"/> only the message); others go on meanwhile.
    /// </summary>
    /// <param name="retries">How many repetitions after the first invocation; 0 to 1,000.</param>
    /// <param name="delay">The wait before repetition 1, 2, …; default: none. At most one day each.</param>
    /// <param name="when">Which failures to repeat; default: all.</param>
    public RetryOptions InMemory(int retries, Func<int, TimeSpan>? delay = null, Func<Exception, bool>? when = null)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(retries);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(retries, 1_000);
        InMemoryRetries = retries;
        InMemoryDelay = delay ?? InMemoryDelay;
        InMemoryFilter = when;
        return this;
    }
}
