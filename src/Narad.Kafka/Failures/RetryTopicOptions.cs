using Narad.Kafka.Failures;

namespace Narad.Kafka;

/// <summary>
/// Retries through a retry topic. A message that still fails after its in-memory retries moves there, waits until it is due without holding anything else,
/// and the same handler handles it again. A group of its own reads the topic (<c>{group}-retry</c>). Brings dead letters with it: that is where a message
/// goes after the last attempt.
/// </summary>
public sealed class RetryTopicOptions
{
    /// <summary>
    /// How often a message is handled again through the retry topic, each time with its in-memory retries. 0 to 1,000; default 0: no retry topic. The
    /// header <c>retry</c> counts the attempts.
    /// </summary>
    public int MaxAttempts { get; set; }

    /// <summary>The delay before the first attempt; see <see cref="BackoffType"/> for the others. 0 to 366 days; default 2 s.</summary>
    public TimeSpan Delay { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary>
    /// The longest delay, also of a <see cref="RetryLaterException"/>. The topic's retention must be longer. Above 0, at most 366 days; default: 1 day, or
    /// the longest delay of the policy where that is longer.
    /// </summary>
    public TimeSpan? MaxDelay { get; set; }

    /// <summary>How the delay grows. Default <see cref="DelayBackoffType.Exponential"/>: 2, 4, 8 … seconds.</summary>
    public DelayBackoffType BackoffType { get; set; } = DelayBackoffType.Exponential;

    /// <summary>
    /// Whether each delay is up to 25 % shorter or longer by chance, so that messages that failed together are not retried together. Default false.
    /// </summary>
    public bool UseJitter { get; set; }

    /// <summary>
    /// The delay before attempt 1, 2, …, instead of <see cref="Delay"/> and <see cref="BackoffType"/>. Its result is limited to <see cref="MaxDelay"/>.
    /// Code only.
    /// </summary>
    public Func<int, TimeSpan>? DelayGenerator { get; set; }

    /// <summary>
    /// The retry topic's name. Default: the source topic's name with <c>-retry</c> at its end. Not with a pattern, each of whose topics has its own.
    /// </summary>
    public string? Name { get; set; }

    /// <summary>
    /// Whether records of the retry topic that name no group, as another system writes them, are handled. Default false: every group ignores them. Set it
    /// in one group only, or each of them handles every such record.
    /// </summary>
    public bool AdoptRecordsWithoutGroup { get; set; }

    internal bool IsEnabled => MaxAttempts > 0;

    /// <summary>Null: there is no retry topic.</summary>
    internal RetryTopicPolicy? TopicPolicy => IsEnabled ? new RetryTopicPolicy(
        MaxAttempts, Backoff.From(Delay, MaxDelay, BackoffType, UseJitter, DelayGenerator), Name, MaxDelay) : null;
}
