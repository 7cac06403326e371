using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Confluent.Kafka;

namespace Narad.Kafka.Clients.Interop;

/// <summary>
/// Whether a consumer of <c>group.protocol=consumer</c> has joined its group. Its member id does not say so (the client makes it up); the member epoch does,
/// which Confluent.Kafka does not show. Thread-safe.
/// </summary>
/// <remarks>
/// librdkafka tells the group that a consumer leaves only where it knows its epoch (<c>RD_KAFKA_CGRP_HAS_JOINED_CONSUMER</c>, 2.16): one that is closed between
/// its first heartbeat and the answer stays a member, with partitions that nobody reads, until its session ends.
/// </remarks>
internal static partial class GroupMembership
{
    private const string Name = NativeLibraryResolver.Name;

    private static readonly Lazy<string?> Missing = new(static () => LibrdkafkaClient.Missing(
        [nameof(rd_kafka_consumer_group_metadata), nameof(rd_kafka_consumer_group_metadata_generation_id), nameof(rd_kafka_consumer_group_metadata_destroy)]));

    /// <summary>Whether it has joined; null where this version of the client does not say. Call it while the client cannot be disposed.</summary>
    public static bool? HasJoined(Handle handle)
    {
        if (Missing.Value is not null || LibrdkafkaClient.Of(handle) is not { IsClosed: false, IsInvalid: false } client)
        {
            return null;
        }

        var membership = rd_kafka_consumer_group_metadata(client);
        if (membership == 0)
        {
            return null;
        }

        var epoch = rd_kafka_consumer_group_metadata_generation_id(membership);
        rd_kafka_consumer_group_metadata_destroy(membership);
        return epoch > 0;
    }

    [LibraryImport(Name)]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    private static partial nint rd_kafka_consumer_group_metadata(SafeHandle client);

    [LibraryImport(Name)]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    private static partial int rd_kafka_consumer_group_metadata_generation_id(nint membership);

    [LibraryImport(Name)]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    private static partial void rd_kafka_consumer_group_metadata_destroy(nint membership);
}
