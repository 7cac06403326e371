using Confluent.Kafka;

namespace Narad.Kafka.Consuming;

/// <summary>Where the poll loop gets its messages from. Poll thread only; rebalances and errors are called back meanwhile.</summary>
internal interface IMessageSource
{
    /// <summary>The end of a partition that came in place of a message at the latest attempt to take one: how far it was read. Null where none did.</summary>
    TopicPartitionOffset? End { get; }

    /// <summary>Takes the next message, or returns false where none came in time.</summary>
    /// <exception cref="ConsumeException">The client reports an error in place of a message.</exception>
    bool TryTake(TimeSpan timeout, out ReceivedMessage message);
}
