using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using Confluent.Kafka;
using Narad.Kafka.Transports;

namespace Narad.Kafka.Consuming;

/// <summary>
/// Messages taken from librdkafka itself, through the handle of Confluent.Kafka's consumer, one by one as its <c>Consume</c> does it, but without what
/// that makes of each: a result, a message, a list of headers and the topic's name once more. Never decides anything: what is no message is
/// thrown as <c>Consume</c> throws it.
/// </summary>
internal sealed unsafe partial class NativeMessages : IMessageSource
{
    private readonly SafeHandle _client;
    private TopicPartition _latest = new("", Confluent.Kafka.Partition.Any);    // where the latest message came from
    private byte[] _latestTopic = [];                           // its topic's name, UTF-8

    // One resolver an assembly: it finds the very library that Confluent.Kafka loaded, under whichever of its names.
    static NativeMessages() => RuntimeHelpers.RunClassConstructor(typeof(MockCluster).TypeHandle);

    private NativeMessages(SafeHandle client) => _client = client;

    /// <summary>Null where this version of Confluent.Kafka keeps its handle elsewhere, or the library cannot be found again.</summary>
    public static NativeMessages? TryOpen(IConsumer<byte[]?, byte[]?> client)
    {
        try
        {
            if (LibrdkafkaHandle(client.Handle) is not SafeHandle { IsClosed: false, IsInvalid: false } handle)
            {
                return null;
            }

            rd_kafka_fatal_error(handle, null, 0);   // there is none yet: this is to find the library
            return new NativeMessages(handle);
        }
        catch (Exception exception) when (exception is MissingMemberException or TypeLoadException or DllNotFoundException or EntryPointNotFoundException)
        {
            return null;
        }
    }

    public bool TryTake(TimeSpan timeout, out ReceivedMessage message)
    {
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
                        HeadersOf(native));
                    return true;

                case ErrorCode.Local_PartitionEOF:
                    message = default;
                    return false;

                default:
                    throw new ConsumeException(RecordOf(native), ErrorOf(native));
            }
        }
        finally
        {
            rd_kafka_message_destroy(native);
        }
    }

    private TopicPartition PartitionOf(Message* message)
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

    private static MessageHeaders? HeadersOf(Message* message)
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

    private ConsumeResult<byte[], byte[]> RecordOf(Message* message) => new()
    {
        TopicPartitionOffset = new TopicPartitionOffset(PartitionOf(message), message->Offset),
        Message = new Message<byte[], byte[]>(),
    };

    private Error ErrorOf(Message* message)
    {
        if (message->Error is not ErrorCode.Local_Fatal)
        {
            return new Error(message->Error, Marshal.PtrToStringUTF8((nint)rd_kafka_message_errstr(message)));
        }

        const int Length = 512;
        var reason = stackalloc byte[Length];
        var code = rd_kafka_fatal_error(_client, reason, Length);
        return new Error(code, Marshal.PtrToStringUTF8((nint)reason), isFatal: true);
    }

    // rd_kafka_message_t, which is part of librdkafka's public interface.
    [StructLayout(LayoutKind.Sequential)]
    [SuppressMessage("Minor Code Smell", "S1144", Justification = "The layout is librdkafka's.")]
    private struct Message
    {
        public ErrorCode Error;
        public nint Topic;
        public int Partition;
        public byte* Value;
        public nuint ValueLength;
        public byte* Key;
        public nuint KeyLength;
        public long Offset;
        public nint Private;
    }

    [UnsafeAccessor(UnsafeAccessorKind.Method, Name = "get_LibrdkafkaHandle")]
    [return: UnsafeAccessorType("Confluent.Kafka.Impl.SafeKafkaHandle, Confluent.Kafka")]
    private static extern object? LibrdkafkaHandle(Handle handle);

    [LibraryImport("librdkafka")]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    private static partial Message* rd_kafka_consumer_poll(SafeHandle client, int timeoutMs);

    [LibraryImport("librdkafka")]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    private static partial void rd_kafka_message_destroy(Message* message);

    // These two read a field: the runtime need not be told that they are called.
    [LibraryImport("librdkafka")]
    [SuppressGCTransition]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    private static partial byte* rd_kafka_topic_name(nint topic);

    [LibraryImport("librdkafka")]
    [SuppressGCTransition]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    private static partial long rd_kafka_message_timestamp(Message* message, int* kind);

    [LibraryImport("librdkafka")]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    private static partial ErrorCode rd_kafka_message_headers(Message* message, nint* headers);

    [LibraryImport("librdkafka")]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    private static partial ErrorCode rd_kafka_header_get_all(nint headers, nuint index, byte** name, byte** value, nuint* length);

    [LibraryImport("librdkafka")]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    private static partial byte* rd_kafka_message_errstr(Message* message);

    [LibraryImport("librdkafka")]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    private static partial ErrorCode rd_kafka_fatal_error(SafeHandle client, byte* reason, nuint length);
}
