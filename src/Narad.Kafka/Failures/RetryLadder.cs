using Narad.Kafka.Topics;

namespace Narad.Kafka.Failures;

/// <summary>The attempts through a retry topic: how many, how long the wait before each is, and how long one may be at most. Immutable.</summary>
internal sealed class RetryLadder
{
    private static readonly TimeSpan UsualLongest = TimeSpan.FromDays(1);

    public RetryLadder(int attempts, Backoff delay, string? topic, TimeSpan? maxDelay)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(attempts, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(attempts, 1_000);
        if (topic is not null)
        {
            TopicName.Validate(topic, nameof(topic));
        }

        var longest = delay.LongestOf(attempts);
        if (maxDelay is { } limit)
        {
            ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(limit, TimeSpan.Zero, nameof(maxDelay));
            ArgumentOutOfRangeException.ThrowIfGreaterThan(limit, Backoff.Longest, nameof(maxDelay));
            if (longest > limit)
            {
                throw new ArgumentOutOfRangeException(
                    nameof(maxDelay), limit, $"The waits between attempts reach {Diagnostics.Duration.Text(longest)}: give a longer maxDelay, or limit the waits (Backoff.Exponential has a max).");
            }
        }

        Attempts = attempts;
        Delay = delay;
        Topic = topic;
        LongestByPolicy = longest;
        MaxDelay = maxDelay ?? (longest > UsualLongest ? longest : UsualLongest);
    }

    public int Attempts { get; }

    public Backoff Delay { get; }

    /// <summary>Null: the source topic's, with <see cref="CopyTopics.RetrySuffix"/>.</summary>
    public string? Topic { get; }

    /// <summary>The longest wait between attempts.</summary>
    public TimeSpan LongestByPolicy { get; }

    /// <summary>The longest that a handler may ask for.</summary>
    public TimeSpan MaxDelay { get; }
}
