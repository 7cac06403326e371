using System.Runtime.InteropServices;
using Confluent.Kafka;

namespace Narad.Kafka.Consuming;

/// <summary>A message as it came: its timestamp in milliseconds since 1970, its headers null where it has none.</summary>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct ReceivedMessage(TopicPartition Partition, long Offset, byte[]? Key, byte[]? Value, long Timestamp = 0, MessageHeaders? Headers = null);
