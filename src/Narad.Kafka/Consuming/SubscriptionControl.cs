using Confluent.Kafka;
using Microsoft.Extensions.Logging;

namespace Narad.Kafka.Consuming;

/// <summary>
/// Does what an application asks of a running subscription by name: pause, resume, skip, seek, end. Single-threaded: poll thread only, as commands
/// between two polls, so never inside a rebalance.
/// </summary>
internal sealed class SubscriptionControl(Assignment assignment, StartPositions starts, ConsumerGroup group, ILogger logger)
{
    private static readonly TimeSpan LookUpTimeout = TimeSpan.FromSeconds(5);

    public void Pause(Subscription subscription)
    {
        subscription.PausedByName.AddAll();
        ConsumingLog.PausedAll(logger, subscription.Topic, group.Name);
        ApplyPauses(subscription);
    }

    public bool Pause(Subscription subscription, TopicPartitionId id)
    {
        subscription.PausedByName.Add(id);
        ConsumingLog.Paused(logger, id, group.Name);
        ApplyPauses(subscription);
        return Find(subscription, id) is not null;
    }

    public void Resume(Subscription subscription)
    {
        subscription.PausedByName.Clear();
        ConsumingLog.ResumedAll(logger, subscription.Topic, group.Name);
        ApplyPauses(subscription);
    }

    /// <summary>
    /// Lets a partition continue that was paused by name or stopped; with <paramref name="skipFirst"/> a stopped one, behind what it stopped at.
    /// </summary>
    public bool Resume(Subscription subscription, TopicPartitionId id, bool skipFirst)
    {
        var wasPaused = !skipFirst && subscription.PausedByName.Remove(id);
        if (wasPaused)
        {
            ConsumingLog.Resumed(logger, id, group.Name);
            ApplyPauses(subscription);
        }

        return Find(subscription, id) is { } partition && (ResumeStopped(partition, skipFirst) || wasPaused);
    }

    /// <summary>Continues at an offset that the caller chose.</summary>
    public bool Seek(Subscription subscription, TopicPartitionId id, long offset)
    {
        if (Find(subscription, id) is not { } partition)
        {
            return false;
        }

        Seek(partition, offset);
        return true;
    }

    /// <summary>Continues at a time, in all partitions that are ours.</summary>
    public IReadOnlyDictionary<TopicPartitionId, long> Seek(Subscription subscription, DateTimeOffset time)
    {
        var wanted = Mine(subscription).ConvertAll(partition =>
            new TopicPartitionTimestamp(partition.Partition, new Timestamp(time.ToUnixTimeMilliseconds(), TimestampType.CreateTime)));
        var sought = new Dictionary<TopicPartitionId, long>(wanted.Count);
        if (wanted.Count == 0)
        {
            return sought;
        }

        foreach (var found in assignment.Client.OffsetsForTimes(wanted, LookUpTimeout))
        {
            if (assignment.TryFind(found.TopicPartition, out var partition))
            {
                var offset = found.Offset == Offset.End ? assignment.Client.QueryWatermarkOffsets(found.TopicPartition, LookUpTimeout).High : found.Offset;
                Seek(partition, offset.Value);
                sought[partition.Id] = offset.Value;
            }
        }

        return sought;
    }

    /// <summary>Continues at the first message, in all partitions that are ours.</summary>
    public IReadOnlyDictionary<TopicPartitionId, long> Replay(Subscription subscription)
    {
        var sought = new Dictionary<TopicPartitionId, long>();
        foreach (var partition in Mine(subscription))
        {
            var first = assignment.Client.QueryWatermarkOffsets(partition.Partition, LookUpTimeout).Low.Value;
            Seek(partition, first);
            sought[partition.Id] = first;
        }

        return sought;
    }

    /// <summary>The topic is another one by now: continues at the first message, in all its partitions that are ours and read.</summary>
    public void StartAgain(string topic, string id)
    {
        var ours = assignment.Partitions.Where(partition => string.Equals(partition.Partition.Topic, topic, StringComparison.Ordinal)
            && partition.Unreadable is null && partition.Missing is null).ToList();
        ConsumingLog.TopicRecreated(logger, topic, ours.Count, group.Name);
        foreach (var partition in ours)
        {
            Seek(partition, assignment.Client.QueryWatermarkOffsets(partition.Partition, LookUpTimeout).Low.Value).TopicId = id;
        }
    }

    /// <summary>Starts nothing more; the group's next assignment takes the partitions away.</summary>
    public void End(Subscription subscription)
    {
        foreach (var partition in Mine(subscription))
        {
            subscription.KeyQueues.Drain(partition);
            assignment.SetPause(partition);
        }

        assignment.Changed = true;
    }

    /// <summary>Continues at what is committed, or at its first message where nothing is; what runs changes nothing any more.</summary>
    public void Rewind(AssignedPartition partition, long? committed)
    {
        if ((committed ?? partition.Tracker.First) is not { } offset)
        {
            return;   // nothing came of it yet
        }

        assignment.Client.Seek(new TopicPartitionOffset(partition.Partition, offset));
        var renewed = assignment.Renew(partition);
        partition.Cancel(logger);
        if (partition.Subscription.IsEnding)
        {
            renewed.Subscription.KeyQueues.Drain(renewed);
        }

        renewed.StartAt = offset;
        renewed.Tracker.Begin(offset);
        renewed.Stored = committed;
    }

    private bool ResumeStopped(AssignedPartition partition, bool skipFirst)
    {
        if (partition.Unreadable is not null)
        {
            if (skipFirst)
            {
                return false;
            }

            starts.ResumeFromEarliest(partition);
            assignment.Changed = true;
            return true;
        }

        var (wasStopped, skipped) = partition.Subscription.KeyQueues.Resume(partition, skipFirst);
        if (!wasStopped)
        {
            return false;
        }

        if (skipped is not null)
        {
            group.Metrics.Skipped();
            ConsumingLog.Skipped(logger, partition.Id, skipped.Offset, group.Name);
        }

        ConsumingLog.Resumed(logger, partition.Id, group.Name);
        assignment.Changed = true;
        assignment.SetPause(partition);
        return true;
    }

    private AssignedPartition Seek(AssignedPartition partition, long offset)
    {
        if (partition.Unreadable is null && partition.Missing is null)
        {
            assignment.Client.Seek(new TopicPartitionOffset(partition.Partition, offset));
        }
        else
        {
            starts.ResumeAt(partition, offset);
        }

        var renewed = assignment.Renew(partition);
        renewed.StartAt = offset;
        renewed.Tracker.Begin(offset);
        renewed.Stored = long.MaxValue;   // whatever was committed: this is, from now on
        ConsumingLog.Sought(logger, partition.Id, offset, group.Name);
        return renewed;
    }

    private void ApplyPauses(Subscription subscription)
    {
        foreach (var partition in Mine(subscription))
        {
            subscription.KeyQueues.SetPausedByName(partition, subscription.PausedByName.Includes(partition.Id));
            assignment.SetPause(partition);
        }

        assignment.Changed = true;
    }

    private AssignedPartition? Find(Subscription subscription, TopicPartitionId id) =>
        assignment.TryFind(new TopicPartition(id.Topic, id.Partition), out var partition) && ReferenceEquals(partition.Subscription, subscription)
            ? partition : null;

    private List<AssignedPartition> Mine(Subscription subscription) =>
        [.. assignment.Partitions.Where(partition => ReferenceEquals(partition.Subscription, subscription))];
}
