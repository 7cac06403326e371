using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Narad.Kafka.Clients.Interop;

/// <content>Seeking with a leader epoch.</content>
internal static unsafe partial class Librdkafka
{
    /// <summary>What <see cref="PositionSeek"/> calls.</summary>
    public static readonly string[] SeekFunctions =
    [
        nameof(rd_kafka_topic_partition_list_new), nameof(rd_kafka_topic_partition_list_add), nameof(rd_kafka_topic_partition_list_destroy),
            nameof(rd_kafka_topic_partition_set_leader_epoch),
        nameof(rd_kafka_seek_partitions), nameof(rd_kafka_error_code), nameof(rd_kafka_error_destroy),
    ];

    [LibraryImport(Name)]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial nint rd_kafka_topic_partition_list_new(int size);

    [LibraryImport(Name, StringMarshalling = StringMarshalling.Utf8)]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial LibrdkafkaTopicPartition* rd_kafka_topic_partition_list_add(nint list, string topic, int partition);

    [LibraryImport(Name)]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial void rd_kafka_topic_partition_list_destroy(nint list);

    [LibraryImport(Name)]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial void rd_kafka_topic_partition_set_leader_epoch(LibrdkafkaTopicPartition* entry, int epoch);

    [LibraryImport(Name)]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial nint rd_kafka_seek_partitions(SafeHandle client, nint list, int timeoutMs);
}
