using Narad.Kafka.Clients.Interop;
using Narad.Kafka.Configuration;
using Narad.Kafka.Diagnostics;
using Narad.Kafka.Security;
using Narad.Kafka.Topics;

namespace Narad.Kafka.Transports;

/// <summary>Nothing: what would be sent is logged, and no broker ever answers. Thread-safe.</summary>
internal sealed class ConsoleTransport : ITransport
{
    public ConsoleTransport(KafkaOptions options, KafkaDiagnostics diagnostics)
    {
        Clients = new ClientSettings(options, bootstrapServers: "", embedded: false);
        Topics = new ConsoleTopics(options, diagnostics);
    }

    public KafkaMode Mode => KafkaMode.Console;

    public string BootstrapServers => "";

    public ClientSettings Clients { get; }

    public AdminConnection? Admin => null;

    public IKafkaTopics Topics { get; }

    public TopicRecords? Records => null;

    public ISendBackpressure? Backpressure => null;

    public TokenRefresher? Tokens => null;

    public ConnectionFault? ConnectionFault => null;

    public Task<bool> ProbeAsync(TimeSpan timeout, CancellationToken cancellationToken) =>
        cancellationToken.IsCancellationRequested ? Task.FromCanceled<bool>(cancellationToken) : Task.FromResult(false);

    public Task<ClusterMetadata> DescribeClusterAsync(TimeSpan timeout, CancellationToken cancellationToken) =>
        throw new NotSupportedException("In Console mode there is no cluster.");

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
