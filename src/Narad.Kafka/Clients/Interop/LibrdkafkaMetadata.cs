using System.Globalization;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Confluent.Kafka;

namespace Narad.Kafka.Clients.Interop;

/// <summary>
/// librdkafka's Metadata request. The administration requests of the same kind (<c>DescribeCluster</c>, <c>DescribeTopics</c>) abort the process when the
/// answer names no brokers or carries an error; this one returns an error. Thread-safe; each call blocks its thread until a broker answered or the time is
/// over.
/// </summary>
internal static unsafe partial class LibrdkafkaMetadata
{
    private const string Name = NativeLibraryResolver.Name;
    private const int Alignment = 8;   // of everything within an answer

    private static readonly string[] Functions =
    [
        nameof(rd_kafka_topic_new), nameof(rd_kafka_topic_destroy), nameof(rd_kafka_metadata), nameof(rd_kafka_metadata_destroy), nameof(rd_kafka_clusterid),
            nameof(rd_kafka_mem_free),
    ];

    private static readonly Lazy<string?> Missing = new(static () => LibrdkafkaClient.Missing(Functions));

    /// <summary>Asks any broker that is connected.</summary>
    /// <param name="client">The client to ask with; kept alive until the call returns.</param>
    /// <param name="topics">The topics to describe, at least one: without a name librdkafka asks for all topics of the cluster.</param>
    /// <param name="timeout">The time for connecting and for the answer.</param>
    /// <exception cref="KafkaException">No broker answered in time, or the answer names no brokers.</exception>
    /// <exception cref="ObjectDisposedException">The client was disposed.</exception>
    public static ClusterMetadata Ask(IAdminClient client, IReadOnlyList<string> topics, TimeSpan timeout) =>
        Missing.Value is null && LibrdkafkaClient.Of(client.Handle) is { } direct ? Ask(direct, topics, timeout) : AskIndirectly(client, topics, timeout);

    private static ClusterMetadata Ask(SafeHandle client, IReadOnlyList<string> topics, TimeSpan timeout)
    {
        var handles = new nint[topics.Count];
        try
        {
            for (var i = 0; i < handles.Length; i++)
            {
                handles[i] = rd_kafka_topic_new(client, topics[i], 0);
                if (handles[i] == 0)
                {
                    throw new KafkaException(new Error(ErrorCode.Local_InvalidArg, $"'{topics[i]}' cannot be a topic's name"));
                }
            }

            // Of several topics those are asked for that the client has a handle of: others may be among them.
            Answer* answer;
            var error = rd_kafka_metadata(client, allTopics: 0, handles.Length == 1 ? handles[0] : 0, &answer, (int)timeout.TotalMilliseconds);
            if (error != ErrorCode.NoError)
            {
                throw new KafkaException(error switch
                {
                    ErrorCode.Local_Transport => new Error(ErrorCode.Local_TimedOut),   // no broker was connected in time
                    ErrorCode.Local_Partial => NoBrokers(),
                    _ => new Error(error),
                });
            }

            try
            {
                return Read(answer, ClusterIdOf(client), topics);
            }
            finally
            {
                rd_kafka_metadata_destroy(answer);
            }
        }
        finally
        {
            foreach (var handle in handles.Where(static handle => handle != 0))
            {
                rd_kafka_topic_destroy(handle);
            }
        }
    }

    // Through Confluent.Kafka: one request for each topic, and no ids.
    private static ClusterMetadata AskIndirectly(IAdminClient client, IReadOnlyList<string> topics, TimeSpan timeout)
    {
        List<ClusterBroker> brokers = [];
        var found = new List<DescribedTopic>(topics.Count);
        foreach (var name in topics)
        {
            Metadata answer;
            try
            {
                answer = client.GetMetadata(name, timeout);
            }
            catch (KafkaException failure) when (failure.Error.Code is ErrorCode.Local_Transport or ErrorCode.Local_Partial)
            {
                throw new KafkaException(failure.Error.Code is ErrorCode.Local_Partial ? NoBrokers() : new Error(ErrorCode.Local_TimedOut), failure);
            }

            brokers = answer.Brokers.ConvertAll(static broker => new ClusterBroker(broker.BrokerId, broker.Host, broker.Port));
            if (brokers.Count == 0)
            {
                throw new KafkaException(NoBrokers());
            }

            found.AddRange(answer.Topics.Where(topic => string.Equals(topic.Topic, name, StringComparison.Ordinal)).Select(static topic => new DescribedTopic(
                topic.Topic, topic.Error.Code, topic.Partitions.Count, topic.Partitions.Count == 0 ? 0
                    : topic.Partitions.Min(static partition => partition.Replicas.Length), Id: null)));
        }

        return new ClusterMetadata("", brokers, found, KnowsIds: false);
    }

    private static ClusterMetadata Read(Answer* answer, string clusterId, IReadOnlyList<string> asked)
    {
        if (answer->BrokerCount == 0)
        {
            throw new KafkaException(NoBrokers());
        }

        var brokers = new List<ClusterBroker>(answer->BrokerCount);
        for (var i = 0; i < answer->BrokerCount; i++)
        {
            var broker = answer->Brokers[i];
            brokers.Add(new ClusterBroker(broker.Id, LibrdkafkaClient.Text(broker.Host), broker.Port));
        }

        var knowsIds = KnowsIds(answer);
        var found = new Dictionary<string, DescribedTopic>(StringComparer.Ordinal);
        for (var i = 0; i < answer->TopicCount; i++)
        {
            var topic = answer->Topics[i];
            var replicas = topic.PartitionCount == 0 ? 0 : int.MaxValue;
            for (var partition = 0; partition < topic.PartitionCount; partition++)
            {
                replicas = Math.Min(replicas, topic.Partitions[partition].ReplicaCount);
            }

            var name = LibrdkafkaClient.Text(topic.Name);
            found[name] = new DescribedTopic(name, topic.Error, topic.PartitionCount, replicas, knowsIds ? IdOf(answer->Details[i]) : null);
        }

        return new ClusterMetadata(clusterId, brokers, [.. asked.Select(name => found.GetValueOrDefault(name)).OfType<DescribedTopic>()], knowsIds
            || answer->TopicCount == 0);
    }

    // The public part of an answer has no ids. They stand behind it, in a part that librdkafka does not promise: it is read only where it lies exactly where it
    // is expected. An answer is one block of memory in which the topics, their details and the first topic's name follow each other.
    private static bool KnowsIds(Answer* answer) =>
        answer->TopicCount > 0
        && (byte*)answer->Details == (byte*)answer->Topics + Aligned(answer->TopicCount * sizeof(Topic))
        && (byte*)answer->Topics[0].Name == (byte*)answer->Details + Aligned(answer->TopicCount * sizeof(TopicDetail));

    private static int Aligned(int size) => (size + Alignment - 1) / Alignment * Alignment;

    private static string? IdOf(TopicDetail detail) => detail.IdHigh == 0 && detail.IdLow == 0
        ? null
        : string.Create(CultureInfo.InvariantCulture, $"{detail.IdHigh:x16}{detail.IdLow:x16}");

    private static Error NoBrokers() => new(ErrorCode.Local_Partial, "a broker answered, and named no broker of the cluster");

    private static string ClusterIdOf(SafeHandle client)
    {
        var id = rd_kafka_clusterid(client, 0);
        if (id == 0)
        {
            return "";
        }

        var text = LibrdkafkaClient.Text(id);
        rd_kafka_mem_free(client, id);
        return text;
    }

    [LibraryImport(Name, StringMarshalling = StringMarshalling.Utf8)]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    private static partial nint rd_kafka_topic_new(SafeHandle client, string topic, nint configuration);

    [LibraryImport(Name)]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    private static partial void rd_kafka_topic_destroy(nint topic);

    [LibraryImport(Name)]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    private static partial ErrorCode rd_kafka_metadata(SafeHandle client, int allTopics, nint onlyTopic, Answer** answer, int milliseconds);

    [LibraryImport(Name)]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    private static partial void rd_kafka_metadata_destroy(Answer* answer);

    [LibraryImport(Name)]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    private static partial nint rd_kafka_clusterid(SafeHandle client, int milliseconds);

    [LibraryImport(Name)]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    private static partial void rd_kafka_mem_free(SafeHandle client, nint memory);

    /// <summary>rd_kafka_metadata_t, and behind it the beginning of rd_kafka_metadata_internal_t.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Answer
    {
        public int BrokerCount;
        public Broker* Brokers;
        public int TopicCount;
        public Topic* Topics;
        public int AnsweringBroker;
        public nint AnsweringBrokerName;
        public nint SortedBrokers;
        public nint BrokerDetails;
        public TopicDetail* Details;
    }

    /// <summary>rd_kafka_metadata_broker_t.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Broker
    {
        public int Id;
        public nint Host;
        public int Port;
    }

    /// <summary>rd_kafka_metadata_topic_t.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Topic
    {
        public nint Name;
        public int PartitionCount;
        public Partition* Partitions;
        public ErrorCode Error;
    }

    /// <summary>rd_kafka_metadata_partition_t.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Partition
    {
        public int Id;
        public ErrorCode Error;
        public int Leader;
        public int ReplicaCount;
        public nint Replicas;
        public int InSyncCount;
        public nint InSync;
    }

    /// <summary>rd_kafka_metadata_topic_internal_t.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct TopicDetail
    {
        public nint Partitions;
        public long IdHigh;
        public long IdLow;
        public fixed byte IdText[24];   // 23, padded
        public int AuthorizedOperations;
        public int IsInternal;   // one byte, padded
    }
}
