using System.Collections.Concurrent;
using System.Globalization;
using Microsoft.Extensions.Logging;
using Narad.Kafka.Configuration;
using Narad.Kafka.Diagnostics;

namespace Narad.Kafka.Topics;

/// <summary>
/// Topics where there is no broker: remembers what was asked for, so that an application finds what it ensured, and creates nothing. Thread-safe.
/// </summary>
internal sealed class ConsoleTopics : IKafkaTopics
{
    private readonly KafkaOptions _options;
    private readonly DeclaredTopics _declared;
    private readonly KafkaDiagnostics _diagnostics;
    private readonly ILogger _logger;
    private readonly ConcurrentDictionary<string, TopicDetails> _topics = new(StringComparer.Ordinal);

    public ConsoleTopics(KafkaOptions options, KafkaDiagnostics diagnostics)
    {
        _options = options;
        _declared = new DeclaredTopics(options);
        _diagnostics = diagnostics;
        _logger = diagnostics.Logger<ConsoleTopics>();
    }

    public Task CreateIfNotExistsAsync(IEnumerable<TopicSpec> topics, CancellationToken cancellationToken = default)
    {
        var wanted = WantedTopics.Check(topics);
        cancellationToken.ThrowIfCancellationRequested();
        foreach (var asked in wanted)
        {
            var spec = _declared.Complete(asked);
            var partitions = spec.Partitions ?? _options.TopicPartitions;
            var settings = spec.Settings?.ToDictionary(StringComparer.Ordinal) ?? new Dictionary<string, string>(StringComparer.Ordinal);
            var details = TopicSettings.Describe(
                spec.Name, partitions, Math.Max(1, (int)(spec.ReplicationFactor ?? _options.TopicReplicationFactor)), settings.GetValueOrDefault, settings);
            var kept = _topics.GetOrAdd(spec.Name, details);
            if (!ReferenceEquals(kept, details))
            {
                WantedTopics.CheckPartitions(asked, kept.Partitions);
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

    public Task<IReadOnlyDictionary<string, int>> GetPartitionCountsAsync(IEnumerable<string> topics, CancellationToken cancellationToken = default)
    {
        var found = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var topic in WantedTopics.Names(topics))
        {
            if (_topics.TryGetValue(topic, out var details))
            {
                found[topic] = details.Partitions;
            }
        }

        cancellationToken.ThrowIfCancellationRequested();
        return Task.FromResult<IReadOnlyDictionary<string, int>>(found);
    }

    public Task<TopicDetails?> GetDetailsAsync(string topic, CancellationToken cancellationToken = default)
    {
        TopicName.Validate(topic, nameof(topic));
        cancellationToken.ThrowIfCancellationRequested();
        return Task.FromResult(_topics.GetValueOrDefault(topic));
    }

    public Task SetRetentionAsync(string topic, TimeSpan? retention, CancellationToken cancellationToken = default)
    {
        TopicName.Validate(topic, nameof(topic));
        TopicSettings.CheckRetention(retention, nameof(retention));
        cancellationToken.ThrowIfCancellationRequested();
        if (_topics.TryGetValue(topic, out var details))
        {
            _topics[topic] = details with
            {
                Retention = retention,
                Settings = new Dictionary<string,
                    string>(details.Settings, StringComparer.Ordinal) { [TopicSettings.Retention] = TopicSettings.RetentionText(retention) },
            };
        }

        if (_diagnostics.HasLogger)
        {
            TopicsLog.WouldSetRetention(_logger, topic, TopicsLog.Text(retention));
        }
        else
        {
            Console.Out.WriteLine($"[DEV] Would let topic {topic} keep its messages for {TopicsLog.Text(retention)}");
        }

        return Task.CompletedTask;
    }

    public Task<IReadOnlyList<string>> DeleteAsync(IEnumerable<string> topics, CancellationToken cancellationToken = default)
    {
        var names = WantedTopics.Names(topics);
        cancellationToken.ThrowIfCancellationRequested();
        var deleted = new List<string>();
        foreach (var topic in names)
        {
            if (_topics.TryRemove(topic, out _))
            {
                deleted.Add(topic);
            }

            if (_diagnostics.HasLogger)
            {
                TopicsLog.WouldDelete(_logger, topic);
            }
            else
            {
                Console.Out.WriteLine($"[DEV] Would delete topic {topic}");
            }
        }

        return Task.FromResult<IReadOnlyList<string>>(deleted);
    }

    public Task<IReadOnlyDictionary<TopicPartitionId, long>> GetCommittedOffsetsAsync(string group, string topic, CancellationToken cancellationToken = default)
    {
        GroupName.Validate(group, nameof(group));
        TopicName.Validate(topic, nameof(topic));
        cancellationToken.ThrowIfCancellationRequested();
        return Task.FromResult<IReadOnlyDictionary<TopicPartitionId, long>>(new Dictionary<TopicPartitionId, long>());
    }
}
