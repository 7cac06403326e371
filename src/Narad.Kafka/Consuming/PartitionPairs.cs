using Confluent.Kafka;
using Microsoft.Extensions.Logging;
using Narad.Kafka.Clients.Interop;
using Narad.Kafka.Diagnostics;
using Narad.Kafka.KeyOrder;

namespace Narad.Kafka.Consuming;

/// <summary>
/// Where keys are kept in order through their retries: lets a source partition continue when the retry partition of its number is this member's too and
/// was read to its end, and that one when nothing of the source partition runs that it does not know of. Without its other half neither of a pair is
/// handled.
/// </summary>
/// <remarks>Single-threaded: poll thread only.</remarks>
internal sealed class PartitionPairs(Assignment assignment, ConsumerGroup group, OffsetStore offsets, int maxAhead, TimeProvider time, ILogger logger)
{
    private static readonly TimeSpan LacksForLong = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan LookUpTimeout = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan SealInterval = TimeSpan.FromSeconds(1);

    private readonly SealLookUp _seals = new(
        assignment, group.Name, static (client, sources) => LibrdkafkaOffsets.Committed(client.Handle, sources, LookUpTimeout), time, logger);

    /// <summary>Completes when the client is not asked anything any more: it must not be disposed before.</summary>
    public Task Asking => _seals.Asking;

    /// <summary>
    /// Partitions were assigned. The records of a retry partition are checked with what the group committed in its source partition, so that is looked up
    /// before any is read.
    /// </summary>
    public void OnAssigned(IEnumerable<TopicPartition> partitions)
    {
        var retries = new List<AssignedPartition>();
        foreach (var id in partitions)
        {
            if (assignment.TryFind(id, out var partition) && partition is { BlockedKeys: not null, Subscription.Settings.Retries: not null })
            {
                retries.Add(partition);
            }
            else if (partition is { Subscription.Settings: { KeepsKeyOrder: true, Retries: null, FailureTopics: { } failureTopics } }
                && assignment.TryFind(new TopicPartition(failureTopics.RetryNameFor(id.Topic), id.Partition), out var kept)
                    && kept.BlockedKeys is { IsJoined: true }
                    && !retries.Contains(kept))
            {
                // The source partition was another member's meanwhile, where somebody may have set its offset.
                retries.Add(kept);
            }
        }

        if (retries.Count == 0)
        {
            return;
        }

        if (LibrdkafkaOffsets.IsAvailable(assignment.Client.Handle))
        {
            retries.ForEach(_seals.Begin);
            return;
        }

        ConsumingLog.SealsUnavailable(logger, group.Name);
        retries.ForEach(static partition => partition.BlockedKeys!.Seal.GiveUp());
    }

    /// <summary>Continues with what is looked up: once a turn.</summary>
    public void Turn() => _seals.Turn();

    /// <summary>A partition was read to its end.</summary>
    public void OnEnd(AssignedPartition partition)
    {
        if (partition is { IsRecovering: true, BlockedKeys: { } blockedKeys })
        {
            blockedKeys.Recovered();
            Update();
            ConsumingLog.PairOpened(logger, partition.Id, group.Name, blockedKeys.Count);
        }
    }

    /// <summary>The first message of a source partition in this assignment, or the first one since its offsets went back.</summary>
    public void OnFirst(AssignedPartition partition, long offset)
    {
        partition.Began = (offset, IsResumed: partition is { StartAt: null, Tracker.Incarnation: 0 });
        if (partition.BlockedKeys is { } blockedKeys)
        {
            Begin(partition, blockedKeys);
            CommitSeal(partition, blockedKeys);
        }
    }

    /// <summary>The broker has these offsets.</summary>
    public void OnCommitted(IEnumerable<TopicPartitionOffsetError> committed)
    {
        foreach (var offset in committed)
        {
            if (!offset.Error.IsError && offset.Offset.Value >= 0 && assignment.TryFind(offset.TopicPartition, out var partition)
                && partition.Subscription.Settings.Retries is null)
            {
                partition.BlockedKeys?.SourceCommitted(offset.Offset.Value);
                partition.BlockedKeys?.Seal.Committed();   // whatever this member commits of a pair has it
            }
        }
    }

    /// <summary>Opens what may continue, and holds what may not.</summary>
    public void Update()
    {
        foreach (var partition in assignment.Partitions)
        {
            if (partition.Subscription.Settings is not { KeepsKeyOrder: true } settings)
            {
                continue;
            }

            if (settings.Retries is { } source)
            {
                if (!assignment.TryFind(new TopicPartition(source.Source, partition.Partition.Partition), out _))
                {
                    partition.BlockedKeys!.Open(false);
                }
            }
            else
            {
                Update(partition, settings.FailureTopics!.RetryNameFor(partition.Id.Topic));
            }
        }
    }

    private void Update(AssignedPartition partition, string retryTopic)
    {
        var retries = assignment.TryFind(new TopicPartition(retryTopic, partition.Partition.Partition), out var found) ? found : null;
        if (retries is not { AwaitsSeal: false, BlockedKeys: { IsRecovered: true } blockedKeys })
        {
            WaitForRetryPartition(partition, retries is null, retryTopic);
            return;
        }

        (partition.LacksRetryPartitionSince, partition.LackIsLogged) = (null, false);
        if (!ReferenceEquals(partition.BlockedKeys, blockedKeys))
        {
            // What runs was begun without it: it is waited for.
            if (partition.Subscription.KeyQueues.RunningIn(partition) > 0)
            {
                return;
            }

            Join(partition, blockedKeys);
        }

        blockedKeys.Open(true);
        CommitSeal(partition, blockedKeys);
        SaySkipped(partition, blockedKeys);
        var isFull = blockedKeys.Count >= Math.Max(1, partition.HasTooManyBlocked ? maxAhead / 4 : maxAhead / 2);
        if (partition.LacksRetryPartition || isFull != partition.HasTooManyBlocked)
        {
            partition.HasTooManyBlocked = isFull;
            if (partition.LacksRetryPartition)
            {
                partition.Subscription.KeyQueues.SetLacksRetryPartition(partition, false);
            }

            assignment.SetPause(partition);
        }
    }

    private void Join(AssignedPartition partition, BlockedKeys blockedKeys)
    {
        partition.BlockedKeys = blockedKeys;
        blockedKeys.Join(partition.IsRenewed);
        if (partition.Began is not null)
        {
            Begin(partition, blockedKeys);
        }
    }

    private void Begin(AssignedPartition partition, BlockedKeys blockedKeys)
    {
        var (offset, isResumed) = partition.Began!.Value;
        var end = assignment.Client.GetWatermarkOffsets(partition.Partition).High;
        blockedKeys.SourceBegan(offset, isResumed, end.Value > offset ? end.Value : long.MaxValue);
    }

    // With the offset where the group stands, so that nothing moves: before that nothing is forwarded.
    private void CommitSeal(AssignedPartition partition, BlockedKeys blockedKeys)
    {
        var stored = partition.Stored is { } known and < long.MaxValue ? known : (long?)null;
        if (blockedKeys.Seal.IsReady || (stored ?? blockedKeys.Seal.Found ?? partition.Began?.Offset) is not { } offset
            || (partition.SealAskedAt is { } asked && time.GetElapsedTime(asked) < SealInterval))
        {
            return;
        }

        partition.SealAskedAt = time.GetTimestamp();
        offsets.CommitSeal(partition, offset);
    }

    private void SaySkipped(AssignedPartition partition, BlockedKeys blockedKeys)
    {
        if (blockedKeys.TakeSkipped() is > 0 and var skipped)
        {
            group.Metrics.SkippedAsHandled(skipped);
            ConsumingLog.SkippedAsHandled(logger, skipped, partition.Id, group.Name);
        }
    }

    private void WaitForRetryPartition(AssignedPartition partition, bool isMissing, string retryTopic)
    {
        if (!partition.LacksRetryPartition)
        {
            partition.Subscription.KeyQueues.SetLacksRetryPartition(partition, true);
            assignment.SetPause(partition);
        }

        if (!isMissing)
        {
            (partition.LacksRetryPartitionSince, partition.LackIsLogged) = (null, false);
        }
        else if (partition.LacksRetryPartitionSince is not { } since)
        {
            partition.LacksRetryPartitionSince = time.GetTimestamp();
        }
        else if (!partition.LackIsLogged && time.GetElapsedTime(since) > LacksForLong)
        {
            partition.LackIsLogged = true;
            ConsumingLog.LacksRetryPartition(logger, partition.Id, group.Name, group.WhyNoRetryPartition(partition.Id, retryTopic));
        }
    }
}
