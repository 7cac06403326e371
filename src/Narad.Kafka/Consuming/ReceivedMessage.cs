using System.Runtime.InteropServices;
using Confluent.Kafka;

namespace Narad.Kafka.Consuming;

/// <summary>A message as it came: its timestamp in milliseconds since 1970, its headers null where it has none, the epoch of the leader that wrote it below 0 where that is unknown.</summary>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct ReceivedMessage(TopicPartition Partition, long Offset, byte[]? Key, byte[]? Value, long Timestamp = 0, MessageHeaders? Headers = null, int LeaderEpoch = -1);
