using Microsoft.Extensions.Logging;
using Narad.Kafka.Consuming;

namespace Narad.Kafka.Failures;

/// <summary>
/// Counts the messages that were deleted while they waited for a retry, and logs them together: one line a topic for all that are found within a second.
/// Not thread-safe; used only by the poll thread.
/// </summary>
internal sealed class LostRetries(string group, TimeProvider time, ILogger logger)
{
    private static readonly TimeSpan Together = TimeSpan.FromSeconds(1);

    private readonly Dictionary<string, (long Count, TopicPartitionId First, long Offset)> _lost = new(StringComparer.Ordinal);
    private long _since;

    public void Add(TopicPartitionId partition, long offset)
    {
        if (_lost.Count == 0)
        {
            _since = time.GetTimestamp();
        }

        var known = _lost.GetValueOrDefault(partition.Topic, (0, partition, offset));
        _lost[partition.Topic] = known with { Count = known.Count + 1 };
    }

    /// <summary>Logs what was found, once it is complete.</summary>
    /// <param name="isLast">Whether no more is to come.</param>
    public void Log(bool isLast = false)
    {
        if (_lost.Count == 0 || (!isLast && time.GetElapsedTime(_since) < Together))
        {
            return;
        }

        foreach (var (topic, lost) in _lost)
        {
            ConsumingLog.RetriesGone(logger, lost.Count, group, topic, lost.First, lost.Offset);
        }

        _lost.Clear();
    }
}
