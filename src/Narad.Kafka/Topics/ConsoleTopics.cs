using System.Collections.Concurrent;
using System.Globalization;
using Microsoft.Extensions.Logging;
using Narad.Kafka.Configuration;
using Narad.Kafka.Diagnostics;

namespace Narad.Kafka.Topics;

/// <summary>Topics where there is no broker: remembers what was asked for, so that an application finds what it ensured, and creates nothing. Thread-safe.</summary>
internal sealed class ConsoleTopics : IKafkaTopics
{
    private readonly KafkaOptions _options;
    private readonly KafkaDiagnostics _diagnostics;
    private readonly ILogger _logger;
    private readonly ConcurrentDictionary<string, int> _topics = new(StringComparer.Ordinal);

    public ConsoleTopics(KafkaOptions options, KafkaDiagnostics diagnostics)
    {
        _options = options;
        _diagnostics = diagnostics;
        _logger = diagnostics.Logger<ConsoleTopics>();
    }

    public Task EnsureAsync(IEnumerable<TopicSpec> topics, CancellationToken cancellationToken = default)
    {
        var wanted = WantedTopics.Check(topics);
        cancellationToken.ThrowIfCancellationRequested();
        foreach (var spec in wanted)
        {
            var partitions = spec.Partitions ?? _options.TopicPartitions;
            if (!_topics.TryAdd(spec.Name, partitions))
            {
                WantedTopics.CheckPartitions(spec, _topics[spec.Name]);
            }
            else if (_diagnostics.HasLogger)
            {
                TopicsLog.WouldCreate(_logger, spec.Name, partitions);
            }
            else
            {
                Console.Out.WriteLine(string.Create(CultureInfo.InvariantCulture, $"[DEV] Would create topic {spec.Name} with {partitions} partitions"));
            }
        }

        return Task.CompletedTask;
    }

    public Task<IReadOnlyDictionary<string, int>> DescribeAsync(IEnumerable<string> topics, CancellationToken cancellationToken = default)
    {
        var found = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var topic in WantedTopics.Names(topics))
        {
            if (_topics.TryGetValue(topic, out var partitions))
            {
                found[topic] = partitions;
            }
        }

        cancellationToken.ThrowIfCancellationRequested();
        return Task.FromResult<IReadOnlyDictionary<string, int>>(found);
    }

    public Task<IReadOnlyDictionary<TopicPartitionId, long>> CommittedAsync(string group, string topic, CancellationToken cancellationToken = default)
    {
        GroupName.Validate(group, nameof(group));
        TopicName.Validate(topic, nameof(topic));
        cancellationToken.ThrowIfCancellationRequested();
        return Task.FromResult<IReadOnlyDictionary<TopicPartitionId, long>>(new Dictionary<TopicPartitionId, long>());
    }
}
