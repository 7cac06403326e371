using System.Runtime.InteropServices;
using Confluent.Kafka;

namespace Narad.Kafka.Clients.Interop;

/// <summary>rd_kafka_topic_partition_t, of librdkafka's public interface, but for its private part.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct LibrdkafkaTopicPartition
{
    public nint Topic;
    public int Partition;
    public long Offset;
    public nint Metadata;
    public nuint MetadataSize;
    public nint Opaque;
    public ErrorCode Error;
}
