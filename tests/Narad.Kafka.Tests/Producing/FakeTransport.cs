using Narad.Kafka.Clients.Interop;
using Narad.Kafka.Configuration;
using Narad.Kafka.Security;
using Narad.Kafka.Topics;
using Narad.Kafka.Transports;

namespace Narad.Kafka.Tests.Producing;

/// <summary>A transport, in Kafka mode unless said otherwise, whose topics and backpressure do what the test says; its clients are the test's own.</summary>
internal sealed class FakeTransport : ITransport, IKafkaTopics
{
    public FakeTopicsState FakeTopics { get; } = new();

    public FakeBackpressure? Backpressure { get; init; }

    public KafkaMode Mode { get; init; } = KafkaMode.Kafka;

    public string BootstrapServers => "";

    public ClientSettings Clients => throw new NotSupportedException();

    public AdminConnection? Admin => null;

    public IKafkaTopics Topics => this;

    public TopicRecords? Records => null;

    ISendBackpressure? ITransport.Backpressure => Backpressure;

    public TokenRefresher? Tokens => null;

    public ConnectionFault? ConnectionFault => null;

    /// <summary>Whether a broker answers; one always does where this is left out.</summary>
    public Func<bool>? Probe { get; init; }

    public Task<bool> ProbeAsync(TimeSpan timeout, CancellationToken cancellationToken) => Task.FromResult(Probe?.Invoke() ?? true);

    public Task<ClusterMetadata> DescribeClusterAsync(TimeSpan timeout, CancellationToken cancellationToken) => throw new NotSupportedException();

    public Task CreateIfNotExistsAsync(IEnumerable<TopicSpec> topics, CancellationToken cancellationToken = default)
    {
        FakeTopics.Calls++;
        return FakeTopics.Next.Task;
    }

    public Task<IReadOnlyDictionary<string, int>> GetPartitionCountsAsync(IEnumerable<string> topics, CancellationToken cancellationToken = default) =>
        throw new NotSupportedException();

    public Task<TopicDetails?> GetDetailsAsync(string topic, CancellationToken cancellationToken = default) => throw new NotSupportedException();

    public Task SetRetentionAsync(string topic, TimeSpan? retention, CancellationToken cancellationToken = default) => throw new NotSupportedException();

    public Task<IReadOnlyList<string>> DeleteAsync(IEnumerable<string> topics, CancellationToken cancellationToken = default) =>
        throw new NotSupportedException();

    public Task<IReadOnlyDictionary<TopicPartitionId,
        long>> GetCommittedOffsetsAsync(string group, string topic, CancellationToken cancellationToken = default) => throw new NotSupportedException();

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
