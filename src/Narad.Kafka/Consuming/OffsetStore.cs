using Confluent.Kafka;
using Microsoft.Extensions.Logging;
using Narad.Kafka.Clients.Interop;

namespace Narad.Kafka.Consuming;

/// <summary>
/// The only place that stores an offset; the client commits what is stored by itself. Single-threaded: poll thread only.
/// </summary>
internal sealed class OffsetStore(Assignment assignment, ILogger logger, Action<Error> refused)
{
    private static readonly TimeSpan CommitBackTimeout = TimeSpan.FromSeconds(5);

    /// <summary>
    /// Stores how far the partition is finished. One whose offset the client refuses does not keep the others from theirs; it is stored at the
    /// next tick, while it is ours.
    /// </summary>
    public void Store(AssignedPartition partition)
    {
        // Of an exactly-once subscription they are committed with its transactions, and in no other way; of a broadcast subscription in none.
        if (partition.Subscription.Settings is { ExactlyOnce: not null } or { IsBroadcast: true } || partition.Tracker.Committable is not { } offset
            || offset == partition.Stored || AwaitsPair(partition))
        {
            return;
        }

        try
        {
            var epoch = partition.Tracker.EpochAt(offset);
            var position = new TopicPartitionOffset(partition.Partition, offset, epoch);
            if (MetadataOf(partition, offset) is { } metadata)
            {
                LibrdkafkaOffsets.Store(assignment.Client.Handle, position, metadata);
            }
            else
            {
                assignment.Client.StoreOffset(position);
            }

            if (partition.Stored is { } stored && (epoch is { } now && partition.StoredEpoch is { } then && now != then ? now < then : offset < stored))
            {
                // After storing: the client would otherwise commit the older, higher offset again in between.
                CommitBack(position, MetadataOf(partition, offset));
            }

            partition.Stored = offset;
            partition.StoredEpoch = epoch;
        }
        catch (KafkaException error)
        {
            refused(error.Error);
        }
    }

    /// <summary>Commits the seal of a source partition's pair with the offset where the group stands, without waiting for the answer.</summary>
    public void CommitSeal(AssignedPartition partition, long offset)
    {
        if (MetadataOf(partition, offset) is not { } metadata)
        {
            return;
        }

        try
        {
            LibrdkafkaOffsets.Commit(assignment.Client.Handle, new TopicPartitionOffset(partition.Partition, offset, partition.Tracker.EpochAt(offset)),
                metadata, wait: false);
        }
        catch (KafkaException error)
        {
            refused(error.Error);
        }
    }

    // A commit without the pair's seal erases it, and the group would refuse its own records. Nothing is handled before the pair is joined, so a partition
    // that continues where the group had committed needs no commit until then: at its end its position would be stored all the same.
    private static bool AwaitsPair(AssignedPartition partition) =>
        partition is { BlockedKeys: null, StartAt: null, Subscription.Settings: { KeepsKeyOrder: true, Retries: null } }
            && partition.Began is not { IsResumed: false };

    // Of a source partition that is paired: what makes the commit recognizable as the group's own.
    private string? MetadataOf(AssignedPartition partition, long offset) =>
        partition is { BlockedKeys: { } blockedKeys, Subscription.Settings.Retries: null } && LibrdkafkaOffsets.IsAvailable(assignment.Client.Handle)
            ? blockedKeys.Seal.Seal.MetadataFor(offset) : null;

    // The client does not commit a stored offset below the committed one by itself, nor one of an earlier leader epoch, so where the log went back it is
    // told to, once. The poll thread waits (nobody can take the partition meanwhile), but not for long: a broker that hangs would keep it for minutes.
    private void CommitBack(TopicPartitionOffset position, string? metadata)
    {
        var client = assignment.Client;
        var commit = Task.Run(() =>
        {
            if (metadata is null)
            {
                client.Commit([position]);
            }
            else
            {
                LibrdkafkaOffsets.Commit(client.Handle, position, metadata, wait: true);
            }
        });
        try
        {
            if (!commit.Wait(CommitBackTimeout))
            {
                ConsumingLog.CommitBackFailed(logger, null, position.Topic, position.Partition.Value, position.Offset.Value);
                _ = commit.ContinueWith(static late => _ = late.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted,
                    TaskScheduler.Default);
            }
        }
        catch (AggregateException error)
        {
            ConsumingLog.CommitBackFailed(logger, error.InnerException, position.Topic, position.Partition.Value, position.Offset.Value);
        }
    }
}
