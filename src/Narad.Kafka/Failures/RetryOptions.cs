using Narad.Kafka.Failures;

namespace Narad.Kafka;

/// <summary>
/// What happens when a handler fails. What is asked first: <see cref="Decide"/>, then each <see cref="On{TException}"/> in the order in which they were added, then
/// repetitions in memory, then attempts through the retry topic; what is left goes to the dead-letter topic, or stops its partition where the subscription has none.
/// Default: nothing is repeated.
/// </summary>
/// <remarks>
/// Not asked for what no repetition can mend, bytes that cannot be deserialized and unknown message types: these go to the dead-letter topic at once, or stop.
/// A handler decides by itself with <see cref="RetryLaterException"/> and <see cref="DeadLetterException"/>. With all of them a message is handled
/// (1 + repetitions in memory) × (1 + attempts through the retry topic) times, then it is a dead letter.
/// </remarks>
public sealed class RetryOptions
{
    internal int InMemoryRetries { get; private set; }

    internal Backoff InMemoryDelay { get; private set; } = Backoff.None;

    internal Func<Exception, bool>? InMemoryFilter { get; private set; }

    internal List<(Type Type, FailureAction Action)> Rules { get; } = [];

    internal Func<FailedMessage, FailureAction?>? Decision { get; private set; }

    /// <summary>Null: there is no retry topic.</summary>
    internal RetryLadder? Ladder { get; private set; }

    internal bool ReorderAllowed { get; private set; }

    internal bool Parks { get; private set; }

    internal AfterDeadLetter AfterDeadLetter { get; private set; }

    internal bool AdoptsUngrouped { get; private set; }

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

    /// <summary>
    /// Moves what still fails to a retry topic, where it waits until it is due without holding up anything else, and is handled again by the same handler. The
    /// topic is read by a group of its own (<c>{group}-retry</c>). Brings dead letters with it (<see cref="SubscriptionOptions.DeadLetter"/>): that is where a message goes after the last attempt.
    /// </summary>
    /// <param name="attempts">How often a message is handled again this way (each time with its repetitions in memory); 1 to 1,000; default 3. The header <c>retry</c> counts them.</param>
    /// <param name="delay">The wait before attempt 1, 2, …; default 2, 4, 8 … seconds. At most <paramref name="maxDelay"/> each.</param>
    /// <param name="topic">The retry topic's name; default: the source topic's with <c>-retry</c> at its end. Not with a pattern, each of whose topics has its own.</param>
    /// <param name="maxDelay">
    /// The longest wait that there is, that of a <see cref="RetryLaterException"/> included; the topic's retention must be longer. Above 0, at most <see cref="Backoff.Longest"/>
    /// (366 days); default: one day, or the longest of <paramref name="delay"/> where that is longer.
    /// </param>
    /// <exception cref="ArgumentException">A number is out of range, or the name is not legal.</exception>
    public RetryOptions Topics(int attempts = 3, Backoff? delay = null, string? topic = null, TimeSpan? maxDelay = null)
    {
        Ladder = new RetryLadder(attempts, delay ?? Backoff.Exponential(TimeSpan.FromSeconds(2)), topic, maxDelay);
        return this;
    }

    /// <summary>
    /// Says that messages of a key may be handled in another order once one of them has failed: with retry topics, those behind it overtake it. Needed where an order
    /// was asked for (<see cref="SubscriptionOptions.OrderedByKey"/>, <see cref="SubscriptionOptions.OrderedByPartition"/>) and failures go through a retry topic.
    /// </summary>
    public RetryOptions AllowReorder()
    {
        ReorderAllowed = true;
        return this;
    }

    /// <summary>
    /// Keeps the order of each key through the retry topic: later messages of a key wait there behind the one that failed and are handled after it, in the order in which they
    /// were sent; other keys go on. It holds across restarts, rebalances and crashes. What waits counts no attempt. When half of <see cref="KafkaOptions.MaxUncommittedMessages"/> wait in a
    /// partition, its topic pauses. Messages without a key are not kept in order.
    /// </summary>
    /// <remarks>
    /// Topic and retry topic are read in one group, with the range assignor, and have as many partitions: start is refused where they have not. Not with a pattern, batch
    /// handlers, <see cref="AllowReorder"/> and <see cref="AdoptUngrouped"/>. A member that joins a group whose members use another assignor is refused by the broker (classic
    /// protocol): say it in a new group, or stop all members first. After a crash some messages may be handled again: then all that follow them in their key are handled again too, in order.
    /// </remarks>
    /// <param name="afterDeadLetter">What becomes of those that wait when the failed one becomes a dead letter; default: they go on.</param>
    public RetryOptions ParkKey(AfterDeadLetter afterDeadLetter = AfterDeadLetter.Continue)
    {
        if (!Enum.IsDefined(afterDeadLetter))
        {
            throw new ArgumentOutOfRangeException(nameof(afterDeadLetter), afterDeadLetter, "There is no such choice.");
        }

        Parks = true;
        AfterDeadLetter = afterDeadLetter;
        return this;
    }

    /// <summary>
    /// Handles messages of the retry topic that name no group, as another system writes them; without this every group leaves them alone. Say it in one
    /// group only, or each of them handles every such message.
    /// </summary>
    public RetryOptions AdoptUngrouped()
    {
        AdoptsUngrouped = true;
        return this;
    }

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
