using Confluent.Kafka;
using Confluent.Kafka.Admin;
using Narad.Kafka.Clients.Interop;
using Narad.Kafka.Configuration;
using Narad.Kafka.Diagnostics;
using Narad.Kafka.Security;
using Narad.Kafka.Topics;

namespace Narad.Kafka.Transports;

/// <summary>
/// A broker inside this process: the one of <see cref="KafkaOptions.EmbeddedBroker"/>, which stays its owner's, or else one of its own,
/// which ends with it. Thread-safe.
/// </summary>
internal sealed class EmbeddedTransport : ITransport
{
    private static readonly TimeSpan CommittedTimeout = TimeSpan.FromSeconds(5);

    private readonly EmbeddedBroker _broker;
    private readonly bool _owned;
    private readonly AdminConnection _admin;
    private readonly EmbeddedBackpressure _backpressure;

    public EmbeddedTransport(KafkaOptions options, KafkaDiagnostics diagnostics)
    {
        _owned = options.EmbeddedBroker is null;
        _broker = options.EmbeddedBroker ?? EmbeddedBroker.Start();
        Clients = new ClientSettings(options, _broker.BootstrapServers, embedded: true) { EmbeddedFetchWait = group =>
            _broker.Fetches.WaitFor(this, group, _broker.TopicCount) };
        _admin = new AdminConnection(Clients, diagnostics);
        Topics = new KafkaTopics(_admin, options, diagnostics, _broker);
        Records = new TopicRecords(_admin, options.ConnectTimeout, _broker);
        _backpressure = new EmbeddedBackpressure(CommittedAsync, diagnostics.Time, diagnostics.Logger<EmbeddedBackpressure>());
        _broker.TopicDeleted += OnTopicDeleted;
        _broker.RecordsDeleted += OnRecordsDeleted;
        if (_owned)
        {
            TransportLog.EmbeddedBrokerStarted(diagnostics.Logger<EmbeddedTransport>(), _broker.BootstrapServers);
        }
    }

    public KafkaMode Mode => KafkaMode.Embedded;

    public string BootstrapServers => Clients.BootstrapServers;

    public ClientSettings Clients { get; }

    public AdminConnection? Admin => _admin;

    public IKafkaTopics Topics { get; }

    public TopicRecords? Records { get; }

    public ISendBackpressure? Backpressure => _backpressure;

    public TokenRefresher? Tokens => null;

    public ConnectionFault? ConnectionFault => _admin.Fault;

    public Task<bool> ProbeAsync(TimeSpan timeout, CancellationToken cancellationToken) => _admin.ProbeAsync(timeout, cancellationToken);

    public Task<ClusterMetadata> DescribeClusterAsync(TimeSpan timeout, CancellationToken cancellationToken) =>
        _admin.DescribeClusterAsync(timeout, cancellationToken);

    public async ValueTask DisposeAsync()
    {
        _broker.TopicDeleted -= OnTopicDeleted;
        _broker.RecordsDeleted -= OnRecordsDeleted;
        _broker.Fetches.Forget(this);
        await _backpressure.DisposeAsync().ConfigureAwait(false);
        await _admin.DisposeAsync().ConfigureAwait(false);
        if (_owned)
        {
            _broker.Dispose();
        }
    }

    private void OnTopicDeleted(object? sender, TopicDeletedEventArgs deleted) => _backpressure.Deleted(deleted.Topic);

    private void OnRecordsDeleted(object? sender, RecordsDeletedEventArgs deleted) => _backpressure.Deleted(deleted.Topic, deleted.Partition, deleted.Before);

    private async Task<IReadOnlyList<TopicPartitionOffset>> CommittedAsync(
        string group, IReadOnlyList<TopicPartition> partitions, CancellationToken cancellationToken)
    {
        var results = await _admin.CallAsync(
            client => client.ListConsumerGroupOffsetsAsync(
                [new ConsumerGroupTopicPartitions(group, [.. partitions])], new ListConsumerGroupOffsetsOptions { RequestTimeout = CommittedTimeout }),
            CommittedTimeout,
            cancellationToken).ConfigureAwait(false);
        return results[0].Partitions.ConvertAll(partition => partition.TopicPartitionOffset);
    }
}
