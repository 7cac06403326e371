using Narad.Kafka.Transports;

namespace Narad.Kafka.Topics;

/// <summary>Topics before and after connecting: connects the transport where that has not been done. Thread-safe.</summary>
/// <param name="connected">The service's transport, connected.</param>
/// <param name="realNames">The real names of topics.</param>
internal sealed class ServiceTopics(Func<CancellationToken, Task<ITransport>> connected, RealNames realNames) : IKafkaTopics
{
    public async Task CreateIfNotExistsAsync(IEnumerable<TopicSpec> topics, CancellationToken cancellationToken = default)
    {
        var transport = await connected(cancellationToken).ConfigureAwait(false);
        await transport.Topics.CreateIfNotExistsAsync(topics.Select(spec => spec with { Name = realNames.Of(spec.Name) }), cancellationToken)
            .ConfigureAwait(false);
    }

    public async Task<IReadOnlyDictionary<string, int>> GetPartitionCountsAsync(IEnumerable<string> topics, CancellationToken cancellationToken = default)
    {
        var transport = await connected(cancellationToken).ConfigureAwait(false);
        var names = topics.Distinct(StringComparer.Ordinal).ToDictionary(name => name, name => realNames.Of(name), StringComparer.Ordinal);
        var found = await transport.Topics.GetPartitionCountsAsync(names.Values.Distinct(StringComparer.Ordinal), cancellationToken).ConfigureAwait(false);
        return names.Where(name => found.ContainsKey(name.Value)).ToDictionary(name => name.Key, name => found[name.Value], StringComparer.Ordinal);
    }

    public async Task<TopicDetails?> GetDetailsAsync(string topic, CancellationToken cancellationToken = default)
    {
        var transport = await connected(cancellationToken).ConfigureAwait(false);
        return await transport.Topics.GetDetailsAsync(realNames.Of(topic), cancellationToken).ConfigureAwait(false);
    }

    public async Task SetRetentionAsync(string topic, TimeSpan? retention, CancellationToken cancellationToken = default)
    {
        var transport = await connected(cancellationToken).ConfigureAwait(false);
        await transport.Topics.SetRetentionAsync(realNames.Of(topic), retention, cancellationToken).ConfigureAwait(false);
    }

    public async Task<IReadOnlyList<string>> DeleteAsync(IEnumerable<string> topics, CancellationToken cancellationToken = default)
    {
        var transport = await connected(cancellationToken).ConfigureAwait(false);
        var names = topics.Distinct(StringComparer.Ordinal).ToDictionary(name => name, name => realNames.Of(name), StringComparer.Ordinal);
        var deleted = await transport.Topics.DeleteAsync(names.Values.Distinct(StringComparer.Ordinal), cancellationToken).ConfigureAwait(false);
        return [.. names.Where(name => deleted.Contains(name.Value, StringComparer.Ordinal)).Select(name => name.Key)];
    }

    public async Task<IReadOnlyDictionary<TopicPartitionId, long>> GetCommittedOffsetsAsync(
        string group, string topic, CancellationToken cancellationToken = default)
    {
        var transport = await connected(cancellationToken).ConfigureAwait(false);
        return await transport.Topics.GetCommittedOffsetsAsync(group, realNames.Of(topic), cancellationToken).ConfigureAwait(false);
    }
}
