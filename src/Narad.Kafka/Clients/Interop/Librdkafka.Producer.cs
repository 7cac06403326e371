using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Confluent.Kafka;

namespace Narad.Kafka.Clients.Interop;

/// <summary>
/// librdkafka's producer, function by function, on a client that Confluent.Kafka built. Thread-safe, as the functions are.
/// </summary>
internal static unsafe partial class Librdkafka
{
    public const int CopyPayload = 0x2;   // RD_KAFKA_MSG_F_COPY
    public const int DeliveryReports = 0x1;   // RD_KAFKA_EVENT_DR
    public const int ErrorEvent = 0x8;   // RD_KAFKA_EVENT_ERROR

    private const string Name = NativeLibraryResolver.Name;
    private const int PurgeQueue = 0x1;
    private const int PurgeNonBlocking = 0x4;

    /// <summary>What sending calls.</summary>
    public static readonly string[] ProducerFunctions =
    [
        nameof(rd_kafka_topic_new), nameof(rd_kafka_topic_destroy), nameof(rd_kafka_produce), nameof(rd_kafka_produceva), nameof(rd_kafka_error_code),
            nameof(rd_kafka_error_string),
        nameof(rd_kafka_error_is_fatal), nameof(rd_kafka_error_destroy), nameof(rd_kafka_headers_new), nameof(rd_kafka_header_add),
            nameof(rd_kafka_headers_destroy),
        nameof(rd_kafka_queue_get_main), nameof(rd_kafka_queue_poll), nameof(rd_kafka_queue_yield), nameof(rd_kafka_queue_destroy), nameof(rd_kafka_event_type),
        nameof(rd_kafka_event_message_array), nameof(rd_kafka_event_error), nameof(rd_kafka_event_error_string), nameof(rd_kafka_event_error_is_fatal),
        nameof(rd_kafka_event_destroy), nameof(rd_kafka_message_status), nameof(rd_kafka_last_error), nameof(rd_kafka_purge),
        nameof(rd_kafka_message_headers), nameof(rd_kafka_header_get_all),
    ];

    /// <summary>
    /// Gives back, as <see cref="ErrorCode.Local_PurgeQueue"/>, every message that is not on its way to a broker. Nothing happens where this version of
    /// Confluent.Kafka keeps its handle elsewhere, or the handle is closed.
    /// </summary>
    public static void PurgeQueued(Handle handle, bool wait)
    {
        if (DirectAccess.MissingForSending is not null || LibrdkafkaClient.Of(handle) is not { IsClosed: false, IsInvalid: false } client)
        {
            return;
        }

        try
        {
            _ = rd_kafka_purge(client, wait ? PurgeQueue : PurgeQueue | PurgeNonBlocking);
        }
        catch (ObjectDisposedException)
        {
            // It was closed in between: it has given everything back.
        }
    }

    [LibraryImport(Name, StringMarshalling = StringMarshalling.Utf8)]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial nint rd_kafka_topic_new(nint client, string topic, nint configuration);

    [LibraryImport(Name)]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial void rd_kafka_topic_destroy(nint topic);

    /// <summary>0, or -1 and <see cref="rd_kafka_last_error"/>, on the same thread.</summary>
    [LibraryImport(Name)]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial int rd_kafka_produce(nint topic, int partition, int flags, byte* value, nint valueLength, byte* key, nint keyLength, nint opaque);

    [LibraryImport(Name)]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial nint rd_kafka_produceva(nint client, Argument* arguments, nuint count);

    [LibraryImport(Name)]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial ErrorCode rd_kafka_error_code(nint error);

    [LibraryImport(Name)]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial nint rd_kafka_error_string(nint error);

    [LibraryImport(Name)]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial int rd_kafka_error_is_fatal(nint error);

    [LibraryImport(Name)]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial void rd_kafka_error_destroy(nint error);

    [LibraryImport(Name)]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial nint rd_kafka_headers_new(nuint count);

    [LibraryImport(Name)]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial ErrorCode rd_kafka_header_add(nint headers, byte* name, nint nameLength, byte* value, nint valueLength);

    [LibraryImport(Name)]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial void rd_kafka_headers_destroy(nint headers);

    [LibraryImport(Name)]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial nint rd_kafka_queue_get_main(nint client);

    [LibraryImport(Name)]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial nint rd_kafka_queue_poll(nint queue, int milliseconds);

    [LibraryImport(Name)]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial void rd_kafka_queue_yield(nint queue);

    [LibraryImport(Name)]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial void rd_kafka_queue_destroy(nint queue);

    [LibraryImport(Name)]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial int rd_kafka_event_type(nint occurred);

    [LibraryImport(Name)]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial nuint rd_kafka_event_message_array(nint occurred, LibrdkafkaMessage** reports, nuint size);

    [LibraryImport(Name)]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial ErrorCode rd_kafka_event_error(nint occurred);

    [LibraryImport(Name)]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial nint rd_kafka_event_error_string(nint occurred);

    [LibraryImport(Name)]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial int rd_kafka_event_error_is_fatal(nint occurred);

    [LibraryImport(Name)]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial void rd_kafka_event_destroy(nint occurred);

    [LibraryImport(Name)]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial PersistenceStatus rd_kafka_message_status(LibrdkafkaMessage* report);

    [LibraryImport(Name)]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial ErrorCode rd_kafka_last_error();

    [LibraryImport(Name)]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    private static partial ErrorCode rd_kafka_purge(SafeHandle client, int flags);

    /// <summary>rd_kafka_vu_t: a tag and, eight bytes on, a union of 64 bytes.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 72)]
    internal struct Argument
    {
        [FieldOffset(0)]
        public ArgumentKind Kind;

        [FieldOffset(8)]
        public nint Pointer;

        [FieldOffset(8)]
        public int Int32;

        [FieldOffset(8)]
        public long Int64;

        [FieldOffset(16)]
        public nint Length;
    }

    /// <summary>rd_kafka_vtype_t.</summary>
    internal enum ArgumentKind
    {
        Topic = 2,
        Partition = 3,
        Value = 4,
        Key = 5,
        Opaque = 6,
        Flags = 7,
        Timestamp = 8,
        Headers = 10,
    }
}
