using System.Collections.Concurrent;
using System.Globalization;
using Confluent.Kafka;
using Narad.Kafka.Clients.Interop;
using Narad.Kafka.Topics;
using Narad.Kafka.Transports;

namespace Narad.Kafka;

/// <summary>
/// A Kafka broker (or several) inside this process: librdkafka's mock cluster, on loopback, reachable by other processes at
/// <see cref="BootstrapServers"/>. It serves producers, groups, offsets and rebalances; what it holds is lost when it is disposed.
/// It never refuses to forget: each partition keeps 5 MiB or 100,000 batches and drops the oldest beyond, which the library's own sends wait out
/// and bare clients must mind. While a classic group rebalances (up to 5 s) it refuses commits, so what members finish meanwhile may be handled
/// twice; with <see cref="KafkaGroupProtocol.Consumer"/> it does not. Security, compaction and topic administration through clients are not there. Thread-safe.
/// </summary>
public sealed class EmbeddedBroker : IDisposable
{
    private readonly MockCluster.ClientHandle _client;
    private readonly MockCluster.ClusterHandle _cluster;
    private readonly ConcurrentDictionary<string, int> _topics = new(StringComparer.Ordinal);

    private EmbeddedBroker(int brokers)
    {
        Brokers = brokers;
        _client = MockCluster.NewClient();
        try
        {
            _cluster = MockCluster.NewCluster(_client, brokers);
        }
        catch
        {
            _client.Dispose();
            throw;
        }

        MockCluster.SetInitialRebalanceDelay(_cluster, 0);   // the first member of a group would otherwise wait 3 s for others
        MockCluster.SetController(_cluster, 1);              // it has none by itself, and admin clients would wait for one for ever
        BootstrapServers = MockCluster.Bootstraps(_cluster);
    }

    // Raised after a topic was deleted, on the deleting thread: its backlog is gone with it.
    internal event EventHandler<TopicDeletedEventArgs>? TopicDeleted;

    // Raised after messages were deleted, on the deleting thread: they are no backlog any more.
    internal event EventHandler<RecordsDeletedEventArgs>? RecordsDeleted;

    // How its consumers are made to wait.
    internal EmbeddedFetches Fetches { get; } = new();

    internal int TopicCount => _topics.Count;

    /// <summary>How many brokers it has; their ids are 1 to this.</summary>
    public int Brokers { get; }

    /// <summary>What clients connect to, without security.</summary>
    public string BootstrapServers { get; }

    /// <summary>
    /// A snapshot of the topics created by <see cref="CreateTopic"/>, with their partitions. A bare client's metadata request creates others, with 4
    /// partitions.
    /// </summary>
    public IReadOnlyDictionary<string, int> Topics => new Dictionary<string, int>(_topics, StringComparer.Ordinal);

    internal MockCluster.ClusterHandle Cluster
    {
        get
        {
            ObjectDisposedException.ThrowIf(_cluster.IsClosed, this);
            return _cluster;
        }
    }

    /// <summary>Starts one on free ports.</summary>
    /// <param name="brokers">How many brokers; 1 to 100.</param>
    /// <exception cref="DllNotFoundException">The native library of Confluent.Kafka is missing.</exception>
    public static EmbeddedBroker Start(int brokers = 1)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(brokers, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(brokers, 100);
        return new EmbeddedBroker(brokers);
    }

    /// <summary>Creates a topic, of 1 to 10,000 partitions. A topic that exists stays as it is.</summary>
    /// <returns>Whether it was created; false where it existed.</returns>
    /// <exception cref="ArgumentException">The name is not legal, or the number of partitions out of range.</exception>
    /// <exception cref="KafkaTopicException">The broker refused it.</exception>
    public bool CreateTopic(string name, int partitions = 6)
    {
        TopicName.Validate(name);
        ArgumentOutOfRangeException.ThrowIfLessThan(partitions, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(partitions, 10_000);
        var error = MockCluster.CreateTopic(Cluster, name, partitions, replicas: 1);
        switch (error)
        {
            case ErrorCode.NoError:
                _topics[name] = partitions;
                return true;
            case ErrorCode.TopicAlreadyExists:
                return false;
            default:
                throw new KafkaTopicException($"The embedded broker did not create topic {name}: {new Error(error).Reason}.", name);
        }
    }

    /// <summary>Deletes a topic with all that it holds, its committed offsets included.</summary>
    /// <returns>Whether it existed.</returns>
    public bool DeleteTopic(string name)
    {
        TopicName.Validate(name);
        var error = MockCluster.DeleteTopic(Cluster, name);
        switch (error)
        {
            case ErrorCode.NoError:
                _topics.TryRemove(name, out _);
                TopicDeleted?.Invoke(this, new TopicDeletedEventArgs(name));
                return true;
            case ErrorCode.UnknownTopicOrPart:
                return false;
            default:
                throw new KafkaTopicException($"The embedded broker did not delete topic {name}: {new Error(error).Reason}.", name);
        }
    }

    /// <summary>Forgets the messages of a partition below an offset, as retention does.</summary>
    /// <exception cref="KafkaTopicException">There is no such partition, or the offset is behind its end.</exception>
    public void DeleteRecords(string topic, int partition, long beforeOffset)
    {
        TopicName.Validate(topic);
        ArgumentOutOfRangeException.ThrowIfNegative(partition);
        ArgumentOutOfRangeException.ThrowIfNegative(beforeOffset);
        var error = MockCluster.DeleteRecords(Cluster, topic, partition, beforeOffset);
        if (error != ErrorCode.NoError)
        {
            throw new KafkaTopicException(
                string.Create(CultureInfo.InvariantCulture,
                    $"The embedded broker did not delete the records of {topic}[{partition}] below {beforeOffset}: {new Error(error).Reason}."), topic);
        }

        RecordsDeleted?.Invoke(this, new RecordsDeletedEventArgs(topic, partition, beforeOffset));
    }

    /// <summary>Fault: closes a broker's connections and refuses new ones, until <see cref="StartBroker(int)"/>.</summary>
    /// <param name="broker">1 to <see cref="Brokers"/>.</param>
    public void StopBroker(int broker = 1)
    {
        CheckBroker(broker);
        ThrowIfFailed(MockCluster.SetDown(Cluster, broker), nameof(StopBroker));
    }

    /// <summary>Ends <see cref="StopBroker(int)"/>.</summary>
    /// <param name="broker">1 to <see cref="Brokers"/>.</param>
    public void StartBroker(int broker = 1)
    {
        CheckBroker(broker);
        ThrowIfFailed(MockCluster.SetUp(Cluster, broker), nameof(StartBroker));
    }

    /// <summary>Fault: every answer of every broker takes this long; zero ends it. Millisecond precision, at most 10 minutes.</summary>
    public void SetLatency(TimeSpan time)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(time, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(time, TimeSpan.FromMinutes(10));
        for (var broker = 1; broker <= Brokers; broker++)
        {
            ThrowIfFailed(MockCluster.SetRoundTripTime(Cluster, broker, (int)time.TotalMilliseconds), nameof(SetLatency));
        }
    }

    /// <summary>
    /// Fault: the next requests of a kind are answered with these errors, one each, in order, behind those that an earlier call named.
    /// <see cref="ErrorCode.NoError"/> lets one pass; <see cref="ErrorCode.Local_Transport"/> closes the connection instead of answering.
    /// </summary>
    public void FailNext(KafkaRequest kind, params ReadOnlySpan<ErrorCode> errors)
    {
        CheckKind(kind);
        MockCluster.PushRequestErrors(Cluster, (short)kind, errors);
    }

    /// <summary>Forgets the errors of <see cref="FailNext"/> that were not used yet.</summary>
    public void ClearFailures(KafkaRequest kind)
    {
        CheckKind(kind);
        MockCluster.ClearRequestErrors(Cluster, (short)kind);
    }

    /// <summary>Stops it, whoever is still connected; idempotent. Clients see a broker that went down.</summary>
    public void Dispose()
    {
        _cluster.Dispose();   // destroyed when the last call into it has returned; it holds its client until then
        _client.Dispose();
    }

    private static void CheckKind(KafkaRequest kind)
    {
        if (!Enum.IsDefined(kind))
        {
            throw new ArgumentOutOfRangeException(nameof(kind), kind, "Not a request that the embedded broker serves.");
        }
    }

    private static void ThrowIfFailed(ErrorCode error, string what)
    {
        if (error != ErrorCode.NoError)
        {
            throw new InvalidOperationException($"The embedded broker refused {what}: {new Error(error).Reason}.");
        }
    }

    private void CheckBroker(int broker)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(broker, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(broker, Brokers);
    }
}
