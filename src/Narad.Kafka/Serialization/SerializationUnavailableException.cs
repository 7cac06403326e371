namespace Narad.Kafka;

/// <summary>
/// What a serializer or deserializer needs (a schema registry, a key store) does not answer at the moment. The message is not to blame. A message that is
/// being read stays unfinished and is read again after <see cref="RetryAfter"/>, as often as it takes; no attempt is counted. The key (or the partition,
/// depending on the order) waits behind it, and the health check names the cause. A message that is being sent fails with a
/// <see cref="KafkaSendException"/> that is retriable.
/// </summary>
public sealed class SerializationUnavailableException : NaradKafkaException
{
    /// <summary>Creates the exception.</summary>
    /// <param name="message">What does not answer, how it failed, and what to do; without secrets, because health and logs show it.</param>
    /// <param name="retryAfter">When to try again. More than 0, at most 5 min.</param>
    /// <param name="innerException">What was thrown.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="retryAfter"/> is out of range.</exception>
    public SerializationUnavailableException(string message, TimeSpan retryAfter, Exception? innerException = null)
        : base(message, innerException)
    {
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(retryAfter, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(retryAfter, TimeSpan.FromMinutes(5));
        RetryAfter = retryAfter;
    }

    /// <summary>When to try again.</summary>
    public TimeSpan RetryAfter { get; }
}
