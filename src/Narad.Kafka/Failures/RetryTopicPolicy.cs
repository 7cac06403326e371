namespace Narad.Kafka.Failures;

/// <summary>
/// The attempts through a retry topic: how many, how long the delay before each is, and how long one may be at most. Its values are validated before.
/// Immutable.
/// </summary>
internal sealed class RetryTopicPolicy
{
    private static readonly TimeSpan UsualLongest = TimeSpan.FromDays(1);

    public RetryTopicPolicy(int attempts, Backoff delay, string? topic, TimeSpan? maxDelay)
    {
        var longest = delay.LongestOf(attempts);
        longest = maxDelay is { } limit && longest > limit ? limit : longest;
        Attempts = attempts;
        Delay = delay;
        Topic = topic;
        LongestByPolicy = longest;
        MaxDelay = maxDelay ?? (longest > UsualLongest ? longest : UsualLongest);
    }

    public int Attempts { get; }

    public Backoff Delay { get; }

    /// <summary>Null: the source topic's, with <see cref="FailureTopics.RetrySuffix"/>.</summary>
    public string? Topic { get; }

    /// <summary>The longest wait between attempts.</summary>
    public TimeSpan LongestByPolicy { get; }

    /// <summary>The longest that a handler may ask for.</summary>
    public TimeSpan MaxDelay { get; }
}
