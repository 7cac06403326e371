using System.Runtime.InteropServices;
using System.Text;
using Confluent.Kafka;
using Narad.Kafka.Clients.Interop;
using static Narad.Kafka.Clients.Interop.Librdkafka;

namespace Narad.Kafka.Consuming;

/// <summary>
/// Messages taken from librdkafka itself, through the handle of Confluent.Kafka's consumer, one by one as its <c>Consume</c> does it, but without what
/// that makes of each: a result, a message, a list of headers and the topic's name once more. Never decides anything: what is no message is
/// thrown as <c>Consume</c> throws it.
/// </summary>
internal sealed unsafe class NativeMessages : IMessageSource
{
    private readonly SafeHandle _client;
    private TopicPartition _latest = new("", Confluent.Kafka.Partition.Any);    // where the latest message came from
    private byte[] _latestTopic = [];                           // its topic's name, UTF-8

    private NativeMessages(SafeHandle client) => _client = client;

    /// <summary>Null where this version of Confluent.Kafka keeps its client elsewhere, or a function cannot be found.</summary>
    public static NativeMessages? TryOpen(IConsumer<byte[]?, byte[]?> client)
        => DirectAccess.MissingForConsuming is null && LibrdkafkaClient.Of(client.Handle) is { IsClosed: false, IsInvalid: false } handle
            ? new NativeMessages(handle) : null;

    public TopicPartitionOffset? End { get; private set; }

    public bool TryTake(TimeSpan timeout, out ReceivedMessage message)
    {
        End = null;
        var native = rd_kafka_consumer_poll(_client, (int)timeout.TotalMilliseconds);
        if (native is null)
        {
            message = default;
            return false;
        }

        try
        {
            switch (native->Error)
            {
                case ErrorCode.NoError:
                    int kind;
                    message = new ReceivedMessage(
                        PartitionOf(native),
                        native->Offset,
                        BytesOf(native->Key, native->KeyLength),
                        BytesOf(native->Value, native->ValueLength),
                        rd_kafka_message_timestamp(native, &kind),
                        HeadersOf(native),
                        rd_kafka_message_leader_epoch(native),
                        IsBrokerTime: kind == (int)TimestampType.LogAppendTime);
                    return true;

                case ErrorCode.Local_PartitionEOF:
                    End = new TopicPartitionOffset(PartitionOf(native), native->Offset);
                    message = default;
                    return false;

                default:
                    throw new ConsumeException(RecordOf(native),
                        LibrdkafkaClient.ErrorOf(_client, native->Error, LibrdkafkaClient.Text((nint)rd_kafka_message_errstr(native))));
            }
        }
        finally
        {
            rd_kafka_message_destroy(native);
        }
    }

    private TopicPartition PartitionOf(LibrdkafkaMessage* message)
    {
        // By name: an address may belong to another topic by now.
        var topic = message->Topic == 0 ? default : MemoryMarshal.CreateReadOnlySpanFromNullTerminated(rd_kafka_topic_name(message->Topic));
        if (_latest.Partition.Value != message->Partition || !topic.SequenceEqual(_latestTopic))
        {
            _latestTopic = topic.ToArray();
            _latest = new TopicPartition(Encoding.UTF8.GetString(topic), message->Partition);
        }

        return _latest;
    }

    private static byte[]? BytesOf(byte* bytes, nuint length) => bytes is null ? null : new ReadOnlySpan<byte>(bytes, (int)length).ToArray();

    private static MessageHeaders? HeadersOf(LibrdkafkaMessage* message)
    {
        nint list;
        if (rd_kafka_message_headers(message, &list) is not ErrorCode.NoError)
        {
            return null;
        }

        var headers = new MessageHeaders();
        byte* name;
        byte* value;
        nuint length;
        for (nuint i = 0; rd_kafka_header_get_all(list, i, &name, &value, &length) is ErrorCode.NoError; i++)
        {
            headers.AddReceived(Marshal.PtrToStringUTF8((nint)name)!, BytesOf(value, length));
        }

        return headers;
    }

    private ConsumeResult<byte[], byte[]> RecordOf(LibrdkafkaMessage* message) => new()
    {
        TopicPartitionOffset = new TopicPartitionOffset(PartitionOf(message), message->Offset),
        Message = new Message<byte[], byte[]>(),
    };
}
