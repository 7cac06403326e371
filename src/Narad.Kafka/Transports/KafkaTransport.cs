using Confluent.Kafka;
using Confluent.Kafka.Admin;
using Narad.Kafka.Configuration;
using Narad.Kafka.Diagnostics;
using Narad.Kafka.Topics;

namespace Narad.Kafka.Transports;

/// <summary>The brokers named in <see cref="KafkaOptions.Brokers"/>. Thread-safe.</summary>
internal sealed class KafkaTransport : ITransport
{
    private readonly AdminConnection _admin;

    public KafkaTransport(KafkaOptions options, KafkaDiagnostics diagnostics)
    {
        Clients = new ClientSettings(options, options.Brokers, embedded: false);
        _admin = new AdminConnection(Clients, diagnostics);
        Topics = new KafkaTopics(_admin, options, diagnostics, broker: null);
        Records = new TopicRecords(_admin, options.ConnectTimeout, broker: null);
    }

    public KafkaMode Mode => KafkaMode.Kafka;

    public string BootstrapServers => Clients.BootstrapServers;

    public ClientSettings Clients { get; }

    public IKafkaTopics Topics { get; }

    public TopicRecords? Records { get; }

    public ISendGate? SendGate => null;

    public ConnectionFault? ConnectionFault => _admin.Fault;

    public Task<bool> ProbeAsync(TimeSpan timeout, CancellationToken cancellationToken) => _admin.ProbeAsync(timeout, cancellationToken);

    public Task<DescribeClusterResult> DescribeClusterAsync(TimeSpan timeout, CancellationToken cancellationToken) =>
        _admin.CallAsync(client => client.DescribeClusterAsync(new DescribeClusterOptions { RequestTimeout = timeout }), timeout, cancellationToken);

    public ValueTask DisposeAsync() => _admin.DisposeAsync();
}
