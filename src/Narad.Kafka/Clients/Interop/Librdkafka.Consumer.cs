using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Confluent.Kafka;

namespace Narad.Kafka.Clients.Interop;

/// <content>librdkafka's consumer.</content>
internal static unsafe partial class Librdkafka
{
    /// <summary>What consuming calls.</summary>
    public static readonly string[] ConsumerFunctions =
    [
        nameof(rd_kafka_consumer_poll), nameof(rd_kafka_message_destroy), nameof(rd_kafka_topic_name), nameof(rd_kafka_message_timestamp),
        nameof(rd_kafka_message_headers), nameof(rd_kafka_header_get_all), nameof(rd_kafka_message_errstr),
        nameof(rd_kafka_message_leader_epoch),
    ];

    [LibraryImport(Name)]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial LibrdkafkaMessage* rd_kafka_consumer_poll(SafeHandle client, int timeoutMs);

    [LibraryImport(Name)]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial void rd_kafka_message_destroy(LibrdkafkaMessage* message);

    // These read a field: the runtime need not be told that they are called.
    [LibraryImport(Name)]
    [SuppressGCTransition]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial byte* rd_kafka_topic_name(nint topic);

    [LibraryImport(Name)]
    [SuppressGCTransition]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial long rd_kafka_message_timestamp(LibrdkafkaMessage* message, int* kind);

    [LibraryImport(Name)]
    [SuppressGCTransition]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial int rd_kafka_message_leader_epoch(LibrdkafkaMessage* message);

    [LibraryImport(Name)]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial ErrorCode rd_kafka_message_headers(LibrdkafkaMessage* message, nint* headers);

    [LibraryImport(Name)]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial ErrorCode rd_kafka_header_get_all(nint headers, nuint index, byte** name, byte** value, nuint* length);

    [LibraryImport(Name)]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial byte* rd_kafka_message_errstr(LibrdkafkaMessage* message);
}
