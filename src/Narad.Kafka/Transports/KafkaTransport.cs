using Narad.Kafka.Clients.Interop;
using Narad.Kafka.Configuration;
using Narad.Kafka.Diagnostics;
using Narad.Kafka.Security;
using Narad.Kafka.Topics;

namespace Narad.Kafka.Transports;

/// <summary>The brokers named in <see cref="KafkaOptions.Brokers"/>. Thread-safe.</summary>
internal sealed class KafkaTransport : ITransport
{
    private readonly AdminConnection _admin;

    public KafkaTransport(KafkaOptions options, KafkaDiagnostics diagnostics)
    {
        Clients = new ClientSettings(options, options.Brokers, embedded: false);
        Tokens = TokenRefresher.For(options, diagnostics);
        _admin = new AdminConnection(Clients, diagnostics, Tokens);
        Topics = new KafkaTopics(_admin, options, diagnostics, broker: null);
        Records = new TopicRecords(_admin, options.ConnectTimeout, broker: null);
    }

    public KafkaMode Mode => KafkaMode.Kafka;

    public string BootstrapServers => Clients.BootstrapServers;

    public ClientSettings Clients { get; }

    public AdminConnection? Admin => _admin;

    public IKafkaTopics Topics { get; }

    public TopicRecords? Records { get; }

    public ISendBackpressure? Backpressure => null;

    public TokenRefresher? Tokens { get; }

    // Without a token the client only waits, and says nothing: whoever makes them knows why.
    public ConnectionFault? ConnectionFault => Tokens?.LoginTrouble is { } trouble ? _admin.NoToken(trouble) : _admin.Fault;

    public Task<bool> ProbeAsync(TimeSpan timeout, CancellationToken cancellationToken) => _admin.ProbeAsync(timeout, cancellationToken);

    public Task<ClusterMetadata> DescribeClusterAsync(TimeSpan timeout, CancellationToken cancellationToken) =>
        _admin.DescribeClusterAsync(timeout, cancellationToken);

    public async ValueTask DisposeAsync()
    {
        await _admin.DisposeAsync().ConfigureAwait(false);
        if (Tokens is { } tokens)
        {
            await tokens.DisposeAsync().ConfigureAwait(false);
        }
    }
}
