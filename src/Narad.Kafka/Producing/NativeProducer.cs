using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Confluent.Kafka;
using Narad.Kafka.Transports;

namespace Narad.Kafka.Producing;

/// <summary>The one function of librdkafka that sending needs and Confluent.Kafka does not offer. Thread-safe, as the function is.</summary>
internal static unsafe partial class NativeProducer
{
    private const int PurgeQueue = 0x1;
    private const int PurgeNonBlocking = 0x4;

    // One resolver an assembly: it finds the very library that Confluent.Kafka loaded, under whichever of its names.
    static NativeProducer() => RuntimeHelpers.RunClassConstructor(typeof(MockCluster).TypeHandle);

    /// <summary>Gives back, as <see cref="ErrorCode.Local_PurgeQueue"/>, every message that is not on its way to a broker.</summary>
    /// <returns>False where this version of Confluent.Kafka keeps its handle elsewhere, or the handle is closed.</returns>
    public static bool TryPurgeQueued(Handle handle, bool wait)
    {
        try
        {
            if (LibrdkafkaHandle(handle) is not SafeHandle { IsClosed: false, IsInvalid: false } client)
            {
                return false;
            }

            return rd_kafka_purge(client, wait ? PurgeQueue : PurgeQueue | PurgeNonBlocking) == ErrorCode.NoError;
        }
        catch (Exception exception) when (exception is MissingMemberException or TypeLoadException or ObjectDisposedException or DllNotFoundException or EntryPointNotFoundException)
        {
            return false;
        }
    }

    [UnsafeAccessor(UnsafeAccessorKind.Method, Name = "get_LibrdkafkaHandle")]
    [return: UnsafeAccessorType("Confluent.Kafka.Impl.SafeKafkaHandle, Confluent.Kafka")]
    private static extern object? LibrdkafkaHandle(Handle handle);

    [LibraryImport("librdkafka")]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    private static partial ErrorCode rd_kafka_purge(SafeHandle client, int flags);
}
