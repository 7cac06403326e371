using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using Narad.Kafka.Diagnostics;
using Narad.Kafka.Topics;

namespace Narad.Kafka.Failures;

/// <summary>
/// What was found of the settings of retry and dead-letter topics that are not wrong, but should be known: logged when it is found, and again only when it
/// changes. Thread-safe.
/// </summary>
internal sealed class FailureTopicSettings(ILogger logger)
{
    private readonly ConcurrentDictionary<string, (TimeSpan? Retention, bool IsCompacted)> _kept = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, (int Bytes, int Wanted)> _small = new(StringComparer.Ordinal);

    /// <summary>Dead letters are to be kept until somebody looks at them.</summary>
    public void CheckDeadLetters(TopicDetails deadLetters, string source)
    {
        var found = (deadLetters.Retention, IsCompacted: deadLetters.CleanupPolicy.HasFlag(TopicCleanupPolicy.Compact));
        var before = _kept.GetValueOrDefault(deadLetters.Name);
        _kept[deadLetters.Name] = found;
        if (found.Retention is { } kept && before.Retention != kept)
        {
            TopicsLog.DeadLettersExpire(logger, deadLetters.Name, Duration.Text(kept), source);
        }

        if (found.IsCompacted && !before.IsCompacted)
        {
            TopicsLog.DeadLettersCompacted(logger, deadLetters.Name, source);
        }

        if (found is { Retention: null, IsCompacted: false } && before is not { Retention: null, IsCompacted: false })
        {
            TopicsLog.DeadLettersAreKept(logger, deadLetters.Name, source);
        }
    }

    /// <summary>What a source takes is to fit into its retry and dead-letter topics.</summary>
    public void CheckSize(TopicDetails failureTopics, int? largest, string source)
    {
        if (failureTopics.MaxMessageBytes is not { } bytes || largest is not { } wanted || bytes >= wanted)
        {
            _small.TryRemove(failureTopics.Name, out _);
        }
        else if (_small.GetValueOrDefault(failureTopics.Name) != (bytes, wanted))
        {
            _small[failureTopics.Name] = (bytes, wanted);
            TopicsLog.ForwardingTooSmall(logger, failureTopics.Name, bytes, source, wanted);
        }
    }
}
