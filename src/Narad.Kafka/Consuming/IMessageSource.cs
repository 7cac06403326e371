using Confluent.Kafka;

namespace Narad.Kafka.Consuming;

/// <summary>Where the poll loop gets its messages from. Poll thread only; rebalances and errors are called back meanwhile.</summary>
internal interface IMessageSource
{
    /// <summary>Takes the next message, or returns false where none came in time.</summary>
    /// <exception cref="ConsumeException">The client reports an error in place of a message.</exception>
    bool TryTake(TimeSpan timeout, out ReceivedMessage message);
}
