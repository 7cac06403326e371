using System.Runtime.InteropServices;
using Confluent.Kafka;

namespace Narad.Kafka.Clients.Interop;

/// <summary>rd_kafka_message_t, of librdkafka's public interface: a message that was read, or the report on one that was sent.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct LibrdkafkaMessage
{
    public ErrorCode Error;
    public nint Topic;
    public int Partition;
    public byte* Value;
    public nuint ValueLength;
    public byte* Key;
    public nuint KeyLength;
    public long Offset;
    public nint Opaque;
}
