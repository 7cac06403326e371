namespace Narad.Kafka;

/// <summary>
/// Pauses a subscription while most of its messages fail, instead of emptying its topic into the dead-letter topic: no handler starts until a single
/// message, tried now and then, succeeds. Messages that failed meanwhile are handed back: the retry policy is not asked, and their attempt does not count.
/// Offsets stay, and the member stays in its group.
/// </summary>
public sealed class CircuitBreakerOptions
{
    /// <summary>Whether the subscription has a circuit breaker. Default false.</summary>
    public bool Enabled { get; set; }

    /// <summary>The share of messages that must fail for the circuit to open. Above 0, at most 1; default 0.5.</summary>
    public double FailureRatio { get; set; } = 0.5;

    /// <summary>
    /// How many messages must have been handled within <see cref="SamplingDuration"/> before the circuit may open. 1 to 1,000,000; default 20.
    /// </summary>
    public int MinimumThroughput { get; set; } = 20;

    /// <summary>How long a message counts, to a tenth of it. 1 s to 1 day; default 30 s.</summary>
    public TimeSpan SamplingDuration { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>How long the circuit stays open before one message is tried; twice as long after each that fails. 1 ms to 1 day; default 5 s.</summary>
    public TimeSpan BreakDuration { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>
    /// The longest that the circuit stays open. <see cref="BreakDuration"/> to 1 day; default 1 min, or <see cref="BreakDuration"/> where that is longer.
    /// </summary>
    public TimeSpan? MaxBreakDuration { get; set; }

    /// <summary>
    /// Only failures of these types count, derived types and causes included (inner exceptions, all of them where there are several). Every other failure
    /// counts as a success: the service that the handler needs has answered. Default empty: all failures count. Code only.
    /// A <see cref="StoreUnavailableException"/>, or a send that no broker took in time, opens the circuit at once whatever is listed here.
    /// </summary>
    public IList<Type> ExceptionTypes { get; } = [];

    internal Backoff Backoff
    {
        get
        {
            var minute = TimeSpan.FromMinutes(1);
            return Backoff.Exponential(BreakDuration, max: MaxBreakDuration ?? (BreakDuration > minute ? BreakDuration : minute));
        }
    }
}
