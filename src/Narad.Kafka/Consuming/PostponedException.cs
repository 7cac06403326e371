namespace Narad.Kafka.Consuming;

/// <summary>A message cannot be handled now, which is no failure: it stays at the head of its key queue and is tried again after <see cref="Delay"/>; the
/// invocation does not count.</summary>
internal sealed class PostponedException(TimeSpan delay) : NaradKafkaException("The message cannot be handled now.")
{
    public TimeSpan Delay { get; } = delay;
}
