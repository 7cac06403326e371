using System.Globalization;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Confluent.Kafka;

namespace Narad.Kafka.Clients.Interop;

/// <summary>
/// How long the broker may wait for messages, of a consumer that is built already. librdkafka reads this number from its settings for each fetch, and has no
/// function to change it: so it is written where it is read. For consumers of the embedded broker only.
/// </summary>
internal static partial class LibrdkafkaFetchWait
{
    private const string Name = NativeLibraryResolver.Name;
    private const string Property = "fetch.wait.max.ms";

    private static readonly Lazy<string?> Missing = new(static () => LibrdkafkaClient.Missing([nameof(rd_kafka_conf), nameof(rd_kafka_conf_set)]));

    /// <summary>Call it while the client cannot be disposed.</summary>
    /// <returns>Whether it was set; false where this version of the client does not let it in.</returns>
    public static unsafe bool TrySet(Handle handle, TimeSpan wait)
    {
        if (Missing.Value is not null || LibrdkafkaClient.Of(handle) is not { IsClosed: false, IsInvalid: false } client)
        {
            return false;
        }

        return rd_kafka_conf_set(rd_kafka_conf(client), Property, ((int)wait.TotalMilliseconds).ToString(CultureInfo.InvariantCulture), null, 0) == 0;
    }

    [LibraryImport(Name)]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    private static partial nint rd_kafka_conf(SafeHandle client);

    [LibraryImport(Name, StringMarshalling = StringMarshalling.Utf8)]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    private static unsafe partial int rd_kafka_conf_set(nint configuration, string name, string value, byte* reason, nuint reasonSize);
}
