namespace Narad.Kafka.Consuming;

/// <summary>A message cannot be handled now, which is no failure: it stays at the head of its key queue and is tried again after <see cref="Delay"/>; the
/// invocation does not count.</summary>
internal sealed class PostponedException(TimeSpan delay) : NaradKafkaException("The message cannot be handled now.")
{
    public TimeSpan Delay { get; } = delay;

    /// <summary>When to handle a message again whose invocation failed with this and does not count; null where it is a failure.</summary>
    public static TimeSpan? DelayOf(Exception error) => error switch
    {
        PostponedException postponed => postponed.Delay,
        SerializationUnavailableException unavailable => unavailable.RetryAfter,
        _ => null,
    };
}
