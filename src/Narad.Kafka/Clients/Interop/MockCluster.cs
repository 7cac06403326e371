using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Confluent.Kafka;

namespace Narad.Kafka.Clients.Interop;

/// <summary>
/// librdkafka's mock cluster, function by function. Thread-safe, as the functions are: each hands its command to the cluster's own thread.
/// </summary>
internal static unsafe partial class MockCluster
{
    private const string Name = NativeLibraryResolver.Name;
    private const int Producer = 0;   // rd_kafka_type_t: the mock cluster needs a client to live in, of any kind

    /// <summary>A client that connects to nothing and logs nothing, for a cluster to live in.</summary>
    /// <exception cref="DllNotFoundException">The library is missing, or has no mock cluster.</exception>
    public static ClientHandle NewClient()
    {
        if (!NativeLibraryResolver.Has(nameof(rd_kafka_mock_cluster_new)))
        {
            throw new DllNotFoundException(
                $"The library that Confluent.Kafka loaded (librdkafka {Library.VersionString}, {NativeLibraryResolver.File}) has no mock cluster: the "
                    + $"embedded broker needs it.");
        }

        var configuration = rd_kafka_conf_new();
        rd_kafka_conf_set_log_cb(configuration, 0);
        var reason = stackalloc byte[512];
        var client = rd_kafka_new(Producer, configuration, reason, 512);
        if (client == 0)
        {
            rd_kafka_conf_destroy(configuration);   // a failed rd_kafka_new leaves it to us
            throw new InvalidOperationException($"The embedded broker cannot start: {Marshal.PtrToStringUTF8((nint)reason)}");
        }

        return new ClientHandle(client);
    }

    /// <summary>Starts a cluster; the handle keeps its client alive.</summary>
    public static ClusterHandle NewCluster(ClientHandle client, int brokers)
    {
        var cluster = rd_kafka_mock_cluster_new(client, brokers);
        return cluster == 0
            ? throw new InvalidOperationException("The embedded broker cannot start: librdkafka could not listen on the loopback address.")
            : new ClusterHandle(cluster, client);
    }

    public static string Bootstraps(ClusterHandle cluster) => Marshal.PtrToStringUTF8(rd_kafka_mock_cluster_bootstraps(cluster))!;

    [LibraryImport(Name, EntryPoint = "rd_kafka_mock_topic_create", StringMarshalling = StringMarshalling.Utf8)]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial ErrorCode CreateTopic(ClusterHandle cluster, string topic, int partitions, int replicas);

    [LibraryImport(Name, EntryPoint = "rd_kafka_mock_topic_delete", StringMarshalling = StringMarshalling.Utf8)]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial ErrorCode DeleteTopic(ClusterHandle cluster, string topic);

    [LibraryImport(Name, EntryPoint = "rd_kafka_mock_partition_delete_records", StringMarshalling = StringMarshalling.Utf8)]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial ErrorCode DeleteRecords(ClusterHandle cluster, string topic, int partition, long beforeOffset);

    [LibraryImport(Name, EntryPoint = "rd_kafka_mock_broker_set_down")]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial ErrorCode SetDown(ClusterHandle cluster, int broker);

    [LibraryImport(Name, EntryPoint = "rd_kafka_mock_broker_set_up")]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial ErrorCode SetUp(ClusterHandle cluster, int broker);

    [LibraryImport(Name, EntryPoint = "rd_kafka_mock_broker_set_rtt")]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial ErrorCode SetRoundTripTime(ClusterHandle cluster, int broker, int milliseconds);

    [LibraryImport(Name, EntryPoint = "rd_kafka_mock_group_initial_rebalance_delay_ms")]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial void SetInitialRebalanceDelay(ClusterHandle cluster, int milliseconds);

    [LibraryImport(Name, EntryPoint = "rd_kafka_mock_set_controller_id")]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial void SetController(ClusterHandle cluster, int broker);

    [LibraryImport(Name, EntryPoint = "rd_kafka_mock_clear_request_errors")]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial void ClearRequestErrors(ClusterHandle cluster, short request);

    public static void PushRequestErrors(ClusterHandle cluster, short request, ReadOnlySpan<ErrorCode> errors)
    {
        fixed (ErrorCode* first = errors)
        {
            rd_kafka_mock_push_request_errors_array(cluster, request, (nuint)errors.Length, first);
        }
    }

    [LibraryImport(Name)]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    private static partial nint rd_kafka_conf_new();

    [LibraryImport(Name)]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    private static partial void rd_kafka_conf_destroy(nint configuration);

    [LibraryImport(Name)]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    private static partial void rd_kafka_conf_set_log_cb(nint configuration, nint callback);

    [LibraryImport(Name)]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    private static partial nint rd_kafka_new(int type, nint configuration, byte* reason, nuint reasonSize);

    [LibraryImport(Name)]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    private static partial void rd_kafka_destroy(nint client);

    [LibraryImport(Name)]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    private static partial nint rd_kafka_mock_cluster_new(ClientHandle client, int brokers);

    [LibraryImport(Name)]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    private static partial void rd_kafka_mock_cluster_destroy(nint cluster);

    [LibraryImport(Name)]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    private static partial nint rd_kafka_mock_cluster_bootstraps(ClusterHandle cluster);

    [LibraryImport(Name)]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    private static partial void rd_kafka_mock_push_request_errors_array(ClusterHandle cluster, short request, nuint count, ErrorCode* errors);

    /// <summary>A client of ours.</summary>
    internal sealed class ClientHandle : SafeHandle
    {
        public ClientHandle(nint client)
            : base(0, ownsHandle: true) => SetHandle(client);

        public override bool IsInvalid => handle == 0;

        protected override bool ReleaseHandle()
        {
            rd_kafka_destroy(handle);
            return true;
        }
    }

    /// <summary>A running cluster; destroyed before the client it lives in.</summary>
    internal sealed class ClusterHandle : SafeHandle
    {
        private readonly ClientHandle _client;

        public ClusterHandle(nint cluster, ClientHandle client)
            : base(0, ownsHandle: true)
        {
            var isAdded = false;
            client.DangerousAddRef(ref isAdded);
            _client = client;
            SetHandle(cluster);
        }

        public override bool IsInvalid => handle == 0;

        protected override bool ReleaseHandle()
        {
            rd_kafka_mock_cluster_destroy(handle);
            _client.DangerousRelease();
            return true;
        }
    }
}
