namespace Narad.Kafka;

/// <summary>When a subscription's circuit opens, and when it is tried again. Every method returns the same instance, so that calls chain.</summary>
public sealed class CircuitBreakerOptions
{
    private static readonly TimeSpan Longest = TimeSpan.FromDays(1);

    internal double FailureRateValue { get; private set; } = 0.5;

    internal int MinimumMessagesValue { get; private set; } = 20;

    internal TimeSpan WindowValue { get; private set; } = TimeSpan.FromSeconds(30);

    internal Backoff ProbeDelay { get; private set; } = Backoff.Exponential(TimeSpan.FromSeconds(5), max: TimeSpan.FromMinutes(1));

    internal List<Type> Outages { get; } = [];

    /// <summary>The share of the counted messages that must fail; above 0, at most 1; default 0.5.</summary>
    public CircuitBreakerOptions FailureRate(double share)
    {
        if (!(share > 0 && share <= 1))
        {
            throw new ArgumentOutOfRangeException(nameof(share), share, "A failure rate is a share of the messages: above 0, at most 1.");
        }

        FailureRateValue = share;
        return this;
    }

    /// <summary>How many messages must have been counted within the window before the circuit may open; 1 to 1,000,000; default 20.</summary>
    public CircuitBreakerOptions MinimumMessages(int messages)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(messages, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(messages, 1_000_000);
        MinimumMessagesValue = messages;
        return this;
    }

    /// <summary>For how long a message counts, to a tenth of it; 1 s to 1 day; default 30 s.</summary>
    public CircuitBreakerOptions Window(TimeSpan window)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(window, TimeSpan.FromSeconds(1));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(window, Longest);
        WindowValue = window;
        return this;
    }

    /// <summary>How long the circuit stays open before a message is tried; after each that fails twice as long.</summary>
    /// <param name="first">The first wait; 1 ms to 1 day; default 5 s.</param>
    /// <param name="max">No wait is longer than this; <paramref name="first"/> to 1 day; default 1 min, or <paramref name="first"/> where that is longer.</param>
    public CircuitBreakerOptions ProbeAfter(TimeSpan first, TimeSpan? max = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(first, TimeSpan.FromMilliseconds(1));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(first, Longest);
        if (max is { } given)
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(given, first, nameof(max));
            ArgumentOutOfRangeException.ThrowIfGreaterThan(given, Longest, nameof(max));
        }

        var minute = TimeSpan.FromMinutes(1);
        ProbeDelay = Backoff.Exponential(first, max: max ?? (first > minute ? first : minute));
        return this;
    }

    /// <summary>
    /// Only failures of this type count as an outage; an exception's causes count (inner exceptions, all of them where there are several). Several calls name several types.
    /// Every other failure counts as a success: what the handler needs has answered. Default: all failures count.
    /// </summary>
    /// <typeparam name="TException">The type; derived ones too.</typeparam>
    public CircuitBreakerOptions On<TException>()
        where TException : Exception
    {
        Outages.Add(typeof(TException));
        return this;
    }
}
