using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using Confluent.Kafka;

namespace Narad.Kafka.Clients.Interop;

/// <summary>
/// Committed offsets with their metadata: Kafka's own field, which Confluent.Kafka neither writes nor reads. Thread-safe, as the functions are.
/// </summary>
internal static unsafe partial class LibrdkafkaOffsets
{
    private const string Name = NativeLibraryResolver.Name;

    private static readonly Lazy<string?> Missing = new(static () => LibrdkafkaClient.Missing(
    [
        nameof(rd_kafka_topic_partition_list_new), nameof(rd_kafka_topic_partition_list_add), nameof(rd_kafka_topic_partition_list_destroy),
            nameof(rd_kafka_mem_malloc),
        nameof(rd_kafka_offsets_store), nameof(rd_kafka_commit), nameof(rd_kafka_committed), nameof(rd_kafka_topic_partition_set_leader_epoch),
            nameof(rd_kafka_topic_partition_get_leader_epoch),
    ]));

    /// <summary>Whether metadata can be written and read in these versions of Confluent.Kafka and librdkafka.</summary>
    public static bool IsAvailable(Handle? handle) =>
        handle is not null && Missing.Value is null && LibrdkafkaClient.Of(handle) is { IsClosed: false, IsInvalid: false };

    /// <summary>Stores an offset, to be committed with this metadata.</summary>
    /// <exception cref="KafkaException">The client refuses it.</exception>
    public static void Store(Handle handle, TopicPartitionOffset position, string metadata) =>
        WithList(handle, [(position, metadata)], static (client, list) => rd_kafka_offsets_store(client, list));

    /// <summary>Commits offsets, each with its metadata, without waiting for the answer or until it came.</summary>
    /// <exception cref="KafkaException">The client or the broker refuses it.</exception>
    public static void Commit(Handle handle, IReadOnlyList<(TopicPartitionOffset Position, string? Metadata)> offsets, bool wait) =>
        WithList(handle, offsets, wait ? static (client, list) => rd_kafka_commit(client, list, 0) : static (client, list) => rd_kafka_commit(client, list, 1));

    /// <summary>What the client's group committed: a partition without a committed offset is left out. Waits for the broker, at most so long.</summary>
    /// <exception cref="KafkaException">No answer came in time, or the broker refuses it.</exception>
    public static IReadOnlyDictionary<TopicPartition, CommittedOffset> Committed(Handle handle, IReadOnlyList<TopicPartition> partitions, TimeSpan timeout)
    {
        var found = new Dictionary<TopicPartition, CommittedOffset>(partitions.Count);
        var milliseconds = (int)timeout.TotalMilliseconds;
        WithList(
            handle,
            [.. partitions.Select(static partition => (new TopicPartitionOffset(partition, Offset.Unset), (string?)null))],
            (client, list) =>
            {
                var error = rd_kafka_committed(client, list, milliseconds);
                for (var i = 0; error is ErrorCode.NoError && i < list->Count; i++)
                {
                    ref readonly var entry = ref list->Entries[i];
                    if (entry.Error is ErrorCode.NoError && entry.Offset >= 0)
                    {
                        var epoch = rd_kafka_topic_partition_get_leader_epoch(&list->Entries[i]);
                        found[partitions[i]] = new CommittedOffset(entry.Offset, entry.Metadata is null ? null
                            : Encoding.UTF8.GetString((byte*)entry.Metadata, (int)entry.MetadataSize), epoch < 0 ? null : epoch);
                    }
                }

                return error;
            });
        return found;
    }

    private static void WithList(Handle handle, IReadOnlyList<(TopicPartitionOffset Position, string? Metadata)> offsets, Call call)
    {
        var client = LibrdkafkaClient.Of(handle) ?? throw new ObjectDisposedException(nameof(Handle));
        var list = rd_kafka_topic_partition_list_new(offsets.Count);
        try
        {
            foreach (var (position, metadata) in offsets)
            {
                var entry = rd_kafka_topic_partition_list_add(list, position.Topic, position.Partition.Value);
                entry->Offset = position.Offset.Value;
                if (position.LeaderEpoch is { } epoch)
                {
                    rd_kafka_topic_partition_set_leader_epoch(entry, epoch);
                }

                if (metadata is not null)
                {
                    // The list frees it, with the allocator that it is from.
                    var bytes = Encoding.UTF8.GetBytes(metadata);
                    entry->Metadata = rd_kafka_mem_malloc(client, (nuint)bytes.Length);
                    entry->MetadataSize = (nuint)bytes.Length;
                    bytes.CopyTo(new Span<byte>(entry->Metadata, bytes.Length));
                }
            }

            var error = call(client, list);
            for (var i = 0; error is ErrorCode.NoError && i < list->Count; i++)
            {
                error = list->Entries[i].Error;
            }

            if (error is not ErrorCode.NoError)
            {
                throw new KafkaException(new Error(error));
            }
        }
        finally
        {
            rd_kafka_topic_partition_list_destroy(list);
        }
    }

    private delegate ErrorCode Call(SafeHandle client, PartitionList* list);

    [LibraryImport(Name)]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    private static partial PartitionList* rd_kafka_topic_partition_list_new(int size);

    [LibraryImport(Name, StringMarshalling = StringMarshalling.Utf8)]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    private static partial PartitionEntry* rd_kafka_topic_partition_list_add(PartitionList* list, string topic, int partition);

    [LibraryImport(Name)]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    private static partial void rd_kafka_topic_partition_list_destroy(PartitionList* list);

    [LibraryImport(Name)]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    private static partial void rd_kafka_topic_partition_set_leader_epoch(PartitionEntry* entry, int epoch);

    [LibraryImport(Name)]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    private static partial int rd_kafka_topic_partition_get_leader_epoch(PartitionEntry* entry);

    [LibraryImport(Name)]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    private static partial void* rd_kafka_mem_malloc(SafeHandle client, nuint size);

    [LibraryImport(Name)]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    private static partial ErrorCode rd_kafka_offsets_store(SafeHandle client, PartitionList* list);

    [LibraryImport(Name)]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    private static partial ErrorCode rd_kafka_commit(SafeHandle client, PartitionList* list, int isAsync);

    [LibraryImport(Name)]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    private static partial ErrorCode rd_kafka_committed(SafeHandle client, PartitionList* list, int timeoutMs);

    // rd_kafka_topic_partition_list_t
    [StructLayout(LayoutKind.Sequential)]
    private struct PartitionList
    {
        public int Count;
        public int Size;
        public PartitionEntry* Entries;
    }

    // rd_kafka_topic_partition_t
    [StructLayout(LayoutKind.Sequential)]
    private struct PartitionEntry
    {
        public byte* Topic;
        public int Partition;
        public long Offset;
        public void* Metadata;
        public nuint MetadataSize;
        public void* Opaque;
        public ErrorCode Error;
        public void* Private;
    }
}
