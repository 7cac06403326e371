using System.Runtime.InteropServices;
using Confluent.Kafka;

namespace Narad.Kafka.Consuming;

/// <summary>A message as it came.</summary>
/// <param name="Partition">Where it came from.</param>
/// <param name="Offset">Its offset.</param>
/// <param name="Key">Its key.</param>
/// <param name="Value">Its value.</param>
/// <param name="Timestamp">In milliseconds since 1970.</param>
/// <param name="Headers">Null where it has none.</param>
/// <param name="LeaderEpoch">The epoch of the leader that wrote it; below 0 where that is unknown.</param>
/// <param name="IsBrokerTime">Whether the timestamp is of the broker's clock (<c>LogAppendTime</c>), not of the sender's.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct ReceivedMessage(
    TopicPartition Partition, long Offset, byte[]? Key, byte[]? Value, long Timestamp = 0, MessageHeaders? Headers = null, int LeaderEpoch = -1,
        bool IsBrokerTime = false);
