namespace Narad.Kafka;

/// <summary>
/// Thrown by a handler: this message is to be handled again, no sooner than after a while, whatever the policy says and however often that was before. It
/// waits in the retry topic, counted as an attempt there; where the subscription has none it waits in memory and holds its key.
/// </summary>
/// <example>
/// <code>
/// await kafka.SubscribeAsync&lt;OrderPlaced&gt;("orders", async (order, context, token) =&gt;
/// {
///     if (await database.IsLockedAsync(order.OrderId, token))
///     {
///         throw new RetryLaterException(TimeSpan.FromMinutes(10));
///     }
/// });
/// </code>
/// </example>
public sealed class RetryLaterException : NaradKafkaException
{
    /// <summary>Says when.</summary>
    /// <param name="delay">The wait; 0 to 366 days, and no longer than the longest delay of the subscription's retry topic.</param>
    /// <param name="cause">Why, if something went wrong.</param>
    /// <exception cref="ArgumentOutOfRangeException">The wait is below 0 or above 366 days.</exception>
    public RetryLaterException(TimeSpan delay, Exception? cause = null)
        : base($"The handler wants this message again in {Diagnostics.Duration.Text(delay)}.", cause)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(delay, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(delay, Backoff.Longest);
        Delay = delay;
    }

    /// <summary>The wait.</summary>
    public TimeSpan Delay { get; }
}
