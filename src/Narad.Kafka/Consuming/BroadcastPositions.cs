using System.Collections.Concurrent;
using Confluent.Kafka;

namespace Narad.Kafka.Consuming;

/// <summary>
/// How far this process has handled the partitions of its broadcast subscriptions: what a group would commit. It outlives a client that is replaced.
/// Thread-safe; written by the poll thread.
/// </summary>
internal sealed class BroadcastPositions
{
    private readonly ConcurrentDictionary<TopicPartition, long> _positions = new();

    /// <summary>The first offset that is not finished; null where the partition is not known.</summary>
    public long? Of(TopicPartition partition) => _positions.TryGetValue(partition, out var position) ? position : null;

    public void Set(TopicPartition partition, long position) => _positions[partition] = position;

    public void Forget(TopicPartition partition) => _positions.TryRemove(partition, out _);
}
