namespace Narad.Kafka;

/// <summary>
/// What happens when a handler fails. What is asked first: <see cref="Decide"/>, then each <see cref="On{TException}"/> in the order in which they were added, then
/// repetitions in memory; what is left goes to the dead-letter topic, or stops its partition where the subscription has none. Default: nothing is repeated.
/// </summary>
/// <remarks>
/// Not asked for what no repetition can mend, bytes that cannot be deserialized and unknown message types: these go to the dead-letter topic at once, or stop.
/// A handler decides by itself with <see cref="DeadLetterException"/>.
/// </remarks>
public sealed class RetryOptions
{
    internal int InMemoryRetries { get; private set; }

    internal Backoff InMemoryDelay { get; private set; } = Backoff.None;

    internal Func<Exception, bool>? InMemoryFilter { get; private set; }

    internal List<(Type Type, FailureAction Action)> Rules { get; } = [];

    internal Func<FailedMessage, FailureAction?>? Decision { get; private set; }

    /// <summary>
    /// Repeats a failed invocation in memory. The repetitions hold the key (with <see cref="MessageOrder.ByPartition"/> the partition, with
    /// <see cref="MessageOrder.Unordered"/> only the message); others go on meanwhile.
    /// </summary>
    /// <param name="retries">How many repetitions after the first invocation; 0 to 1,000.</param>
    /// <param name="delay">The wait before each; default: none. At most one day each.</param>
    /// <param name="when">Which failures to repeat; default: all.</param>
    public RetryOptions InMemory(int retries, Backoff? delay = null, Func<Exception, bool>? when = null)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(retries);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(retries, 1_000);
        InMemoryRetries = retries;
        InMemoryDelay = delay ?? InMemoryDelay;
        InMemoryFilter = when;
        return this;
    }

    /// <summary>As <see cref="InMemory(int, Backoff?, Func{Exception, bool}?)"/>, with the wait before repetition 1, 2, … from a delegate.</summary>
    public RetryOptions InMemory(int retries, Func<int, TimeSpan> delay, Func<Exception, bool>? when = null) => InMemory(retries, Backoff.Custom(delay), when);

    /// <summary>What to do with failures of a type; an exception's causes count (inner exceptions, all of them where there are several). The first match decides.</summary>
    /// <typeparam name="TException">The type; derived ones too.</typeparam>
    /// <param name="action">What becomes of the message.</param>
    public RetryOptions On<TException>(FailureAction action)
        where TException : Exception
    {
        if (!Enum.IsDefined(action))
        {
            throw new ArgumentOutOfRangeException(nameof(action), action, "There is no such action.");
        }

        Rules.Add((typeof(TException), action));
        return this;
    }

    /// <summary>Asks a delegate first, for every failure; null leaves the decision to the rest of the policy, and so does a delegate that throws (which is logged).</summary>
    public RetryOptions Decide(Func<FailedMessage, FailureAction?> decide)
    {
        ArgumentNullException.ThrowIfNull(decide);
        Decision = decide;
        return this;
    }
}
