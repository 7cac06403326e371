namespace Narad.Kafka;

/// <summary>
/// Thrown by a handler: this message is handled again after a delay, through the retry topic, whatever the policy says of the exception. It counts as an attempt.
/// </summary>
public sealed class RetryLaterException : NaradKafkaException
{
    /// <summary>Names the delay.</summary>
    /// <param name="delay">Not before this has passed; 0 to <see cref="Backoff.Longest"/>; null: as the policy says.</param>
    /// <param name="cause">What went wrong, if anything did.</param>
    public RetryLaterException(TimeSpan? delay = null, Exception? cause = null)
        : base(cause?.Message ?? "The handler asked for another try later.", cause)
    {
        if (delay < TimeSpan.Zero || delay > Backoff.Longest)
        {
            throw new ArgumentOutOfRangeException(nameof(delay), delay, "A delay must be 0 to 366 days.");
        }

        Delay = delay;
    }

    /// <summary>How long to wait; null: as the policy says.</summary>
    public TimeSpan? Delay { get; }
}
