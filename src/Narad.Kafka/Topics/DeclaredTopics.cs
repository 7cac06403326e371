using System.Globalization;
using Microsoft.Extensions.Logging;

namespace Narad.Kafka.Topics;

/// <summary>
/// The topics that the application declared (<see cref="KafkaOptions.Topics"/>), by their real names. Whoever creates one creates it as declared. Immutable.
/// </summary>
internal sealed class DeclaredTopics(KafkaOptions options)
{
    private readonly Dictionary<string, TopicSpec> _topics = WantedTopics.Declared(options, []).ToDictionary(static spec => spec.Name, StringComparer.Ordinal);

    public bool IsEmpty => _topics.Count == 0;

    public bool Contains(string topic) => _topics.ContainsKey(topic);

    /// <summary>A topic as it is to be created: what was not asked for is as declared.</summary>
    public TopicSpec Complete(TopicSpec wanted) => _topics.TryGetValue(wanted.Name, out var declared) ? WantedTopics.Both(wanted, declared) : wanted;

    /// <summary>Creates what is missing, and compares the rest.</summary>
    /// <exception cref="KafkaTopicException">One could not be created or looked at; or one is not as declared, and that is refused.</exception>
    /// <exception cref="NotSupportedException">The broker creates no topics by request: it is another process's embedded one.</exception>
    public async Task EnsureAsync(IKafkaTopics topics, ILogger logger, CancellationToken cancellationToken)
    {
        if (topics is not KafkaTopics cluster)
        {
            await topics.CreateIfNotExistsAsync(_topics.Values, cancellationToken).ConfigureAwait(false);
            return;
        }

        if (cluster.IsEmbedded)
        {
            foreach (var spec in _topics.Values.Where(static spec => spec.Settings is not null))
            {
                TopicsLog.SettingsNotKept(logger, spec.Name, string.Join(", ", spec.Settings!.Keys.Order(StringComparer.Ordinal)));
            }
        }

        // Without numbers, so that one that exists is compared rather than refused.
        var created = await cluster.CreateMissingAsync([.. _topics.Keys.Select(static name => new TopicSpec(name))], cancellationToken).ConfigureAwait(false);
        var compared = await Task.WhenAll(_topics.Values.Where(spec => !created.Contains(spec.Name, StringComparer.Ordinal))
            .Select(spec => CompareAsync(spec, cluster, logger, cancellationToken))).ConfigureAwait(false);
        var different = compared.Where(static one => one.Differences.Count > 0).ToList();
        if (different.Count == 0)
        {
            return;
        }

        if (options.OnTopicMismatch is TopicMismatchPolicy.Fail)
        {
            throw new KafkaTopicException(
                string.Join(" ", different.Select(static one => $"Topic '{one.Topic}' is not as declared: {string.Join("; ", one.Differences)}."))
                + " Change the topic or its declaration, or set OnTopicMismatch to Warn.",
                different[0].Topic);
        }

        different.ForEach(one => TopicsLog.NotAsDeclared(logger, one.Topic, string.Join("; ", one.Differences)));
    }

    private async Task<(string Topic, List<string> Differences)> CompareAsync(
        TopicSpec declared, KafkaTopics cluster, ILogger logger, CancellationToken cancellationToken)
    {
        TopicDetails? found;
        try
        {
            found = await cluster.GetDetailsAsync(declared.Name, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception error) when (options.OnTopicMismatch is TopicMismatchPolicy.Warn && error is KafkaTopicException or NotSupportedException)
        {
            // The right to look at settings is one of its own.
            TopicsLog.NotCompared(logger, error, declared.Name);
            return (declared.Name, []);
        }

        return (declared.Name, found is null ? [] : [.. Differences(declared, found, cluster.IsEmbedded)]);
    }

    private static IEnumerable<string> Differences(TopicSpec declared, TopicDetails found, bool embedded)
    {
        if (declared.Partitions is { } partitions && partitions != found.Partitions)
        {
            yield return string.Create(CultureInfo.InvariantCulture, $"it has {found.Partitions} partition(s), declared {partitions}");
        }

        if (embedded)
        {
            yield break;
        }

        if (declared.ReplicationFactor is > 0 and var replicas && replicas != found.ReplicationFactor)
        {
            yield return string.Create(CultureInfo.InvariantCulture, $"it has {found.ReplicationFactor} replica(s), declared {replicas}");
        }

        foreach (var (name, value) in (declared.Settings ?? TopicSettings.None).OrderBy(static setting => setting.Key, StringComparer.Ordinal))
        {
            if (found.SettingInForce(name) is var actual && !TopicSettings.AreSame(name, value, actual))
            {
                yield return $"{name} is {actual ?? "not set"}, declared {value}";
            }
        }
    }
}
