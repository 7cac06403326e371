using Confluent.Kafka;
using Microsoft.Extensions.Logging;
using Narad.Kafka.Clients.Interop;

namespace Narad.Kafka.Consuming;

/// <summary>
/// The only type that stores offsets; the client commits stored offsets by itself. The messages that finished ahead of an unfinished one are recorded in the
/// offset's metadata. The client does not commit an unchanged offset again when its metadata changes, so this type commits it explicitly. Not thread-safe;
/// used only by the poll thread.
/// </summary>
/// <param name="assignment">The partitions.</param>
/// <param name="logger">Of the poll loop.</param>
/// <param name="refused">Called with the error when the client refuses an offset.</param>
/// <param name="comparesEpochs">Whether the brokers have leader epochs.</param>
/// <param name="group">The group's name.</param>
internal sealed class OffsetStore(Assignment assignment, ILogger logger, Action<Error> refused, bool comparesEpochs = false, string group = "")
{
    private static readonly TimeSpan CommitBackTimeout = TimeSpan.FromSeconds(5);

    private bool _refusesMetadata;      // the broker, that of what is finished ahead

    /// <summary>
    /// Stores how far the partition is finished. If the client refuses the offset, other partitions are not affected. The next tick tries again while the
    /// partition is assigned.
    /// </summary>
    public void Store(AssignedPartition partition)
    {
        // Offsets of an exactly-once subscription are committed only in its transactions, those of a broadcast subscription never.
        var ahead = AheadOf(partition);
        if (partition.Subscription.Settings is { ExactlyOnce: not null } or { IsBroadcast: true } || OffsetOf(partition, ahead) is not { } offset
            || (offset == partition.Stored && ahead == partition.StoredAhead) || AwaitsPair(partition))
        {
            return;
        }

        try
        {
            var epoch = partition.Tracker.EpochAt(offset);
            var position = new TopicPartitionOffset(partition.Partition, offset, epoch);
            var aheadMetadata = AheadMetadataOf(partition, offset);
            var metadata = aheadMetadata ?? MetadataOf(partition, offset);
            if (metadata is not null)
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
                CommitBack(position, metadata);
            }

            partition.Stored = offset;
            partition.StoredEpoch = epoch;
            partition.StoredAhead = ahead;
            partition.AheadMetadata = aheadMetadata;
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
            var position = new TopicPartitionOffset(partition.Partition, offset, partition.Tracker.EpochAt(offset));
            LibrdkafkaOffsets.Commit(assignment.Client.Handle, [(position, metadata)], wait: false);
        }
        catch (KafkaException error)
        {
            refused(error.Error);
        }
    }

    /// <summary>
    /// Commits the record of messages that finished ahead, for partitions whose offset stands still. Called once in each commit interval; does not wait for
    /// the answer.
    /// </summary>
    public void CommitAhead()
    {
        List<AssignedPartition> still = [];
        foreach (var partition in assignment.Partitions)
        {
            if (partition.AheadMetadata is not null && partition.AheadConsidered == partition.Stored)
            {
                still.Add(partition);
            }

            partition.AheadConsidered = partition.Stored;
        }

        try
        {
            if (still.Count > 0)
            {
                LibrdkafkaOffsets.Commit(assignment.Client.Handle, still.ConvertAll(Committing), wait: false);
            }

            still.ForEach(static partition => partition.AheadMetadata = null);
        }
        catch (KafkaException error)
        {
            refused(error.Error);
        }
    }

    /// <summary>
    /// Commits the record of messages that finished ahead, for partitions that are revoked, and waits for the answer until the timeout. If the broker refuses
    /// the metadata, the offsets are stored without it.
    /// </summary>
    /// <returns>The broker's answer.</returns>
    public ErrorCode CommitLastAhead(IEnumerable<AssignedPartition> partitions, TimeSpan timeout)
    {
        List<AssignedPartition> leaving = [.. partitions.Where(static partition => partition.AheadMetadata is not null)];
        if (leaving.Count == 0)
        {
            return ErrorCode.NoError;
        }

        var (handle, offsets) = (assignment.Client.Handle, leaving.ConvertAll(Committing));
        var commit = Task.Run(() => LibrdkafkaOffsets.Commit(handle, offsets, wait: true));
        try
        {
            if (!commit.Wait(timeout))
            {
                Forget(commit);
                ConsumingLog.AheadNotCommitted(logger, group, new Error(ErrorCode.Local_TimedOut).Reason);
                return ErrorCode.Local_TimedOut;
            }

            leaving.ForEach(static partition => partition.AheadMetadata = null);
            return ErrorCode.NoError;
        }
        catch (AggregateException error) when (error.InnerException is KafkaException { Error: var answer })
        {
            if (Refuses(answer.Code))
            {
                leaving.ForEach(Store);
            }
            else
            {
                ConsumingLog.AheadNotCommitted(logger, group, answer.Reason);
            }

            return answer.Code;
        }
    }

    /// <summary>Whether the broker refused the metadata: then it is left out from now on, and the offsets are stored anew without it.</summary>
    public bool Refuses(ErrorCode code)
    {
        if (code is not (ErrorCode.OffsetMetadataTooLarge or ErrorCode.InvalidCommitOffsetSize))
        {
            return false;
        }

        if (!_refusesMetadata)
        {
            _refusesMetadata = true;
            ConsumingLog.MetadataRefused(logger, group, code);
        }

        foreach (var partition in assignment.Partitions)
        {
            (partition.StoredAhead, partition.AheadMetadata) = (-1, null);
        }

        return true;
    }

    private static (TopicPartitionOffset Position, string? Metadata) Committing(AssignedPartition partition) =>
        (new TopicPartitionOffset(partition.Partition, partition.Stored!.Value, partition.StoredEpoch), partition.AheadMetadata);

    // While no offset is committable, the messages that finished ahead are recorded with the lowest unfinished offset.
    private static long? OffsetOf(AssignedPartition partition, int ahead) =>
        partition.Tracker.Committable ?? (ahead > 0 ? partition.Tracker.LowestUnfinished : null);

    private int AheadOf(AssignedPartition partition) =>
        partition is { RecordsAhead: true, TopicId: not null } && !_refusesMetadata ? partition.Tracker.FinishedAhead : 0;

    // Includes messages that the previous owner finished and that this member has not read yet.
    private string? AheadMetadataOf(AssignedPartition partition, long offset)
    {
        if (partition is not { RecordsAhead: true, TopicId: { } topicId } || _refusesMetadata
            || (partition.Tracker.FinishedAhead == 0 && partition.Ahead is null))
        {
            return null;
        }

        var epoch = Math.Max(partition.Tracker.LeaderEpoch, partition.Ahead?.Epoch ?? -1);
        if (comparesEpochs && epoch < 0)
        {
            return null;    // nobody could tell whether the log was cut off and written on
        }

        var head = MetadataOf(partition, offset) ?? FinishedAhead.HeadFor(offset);
        Span<byte> room = stackalloc byte[FinishedAhead.MaxLength];
        var writer = new FinishedAhead.Writer(offset, room[..FinishedAhead.RoomBehind(head, topicId)]);
        partition.Tracker.AddFinishedAhead(ref writer);
        partition.Ahead?.AddTo(ref writer, Math.Max(offset, partition.Tracker.Next ?? 0));
        writer.Complete();
        if (writer.IsFull && partition.Tracker.FinishedAhead > writer.Written && !partition.AheadIsLogged)
        {
            partition.AheadIsLogged = true;
            ConsumingLog.AheadDoesNotFit(logger, partition.Tracker.FinishedAhead - writer.Written, partition.Id, group);
        }

        return writer.Text(head, topicId, epoch);
    }

    // A commit without the pair's seal erases the seal, and the group would refuse its own records. No message is handled before the pair is joined. So a
    // partition that continues at the committed offset needs no commit until then: at its end its position would be stored all the same.
    private static bool AwaitsPair(AssignedPartition partition) =>
        partition is { BlockedKeys: null, StartAt: null, Subscription.Settings: { KeepsKeyOrder: true, Retries: null } }
            && partition.Began is not { IsResumed: false };

    // The seal of a source partition that is paired. It proves that the group itself made the commit.
    private string? MetadataOf(AssignedPartition partition, long offset) =>
        partition is { BlockedKeys: { } blockedKeys, Subscription.Settings.Retries: null } && LibrdkafkaOffsets.IsAvailable(assignment.Client.Handle)
            ? blockedKeys.Seal.Seal.MetadataFor(offset) : null;

    // The client does not commit a stored offset that is below the committed one or of an earlier leader epoch. After a truncated log it is committed
    // explicitly, once. The poll thread waits, so that no other member takes the partition meanwhile. The wait is short: a broker that hangs would block the
    // thread for minutes.
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
                LibrdkafkaOffsets.Commit(client.Handle, [(position, metadata)], wait: true);
            }
        });
        try
        {
            if (!commit.Wait(CommitBackTimeout))
            {
                ConsumingLog.CommitBackFailed(logger, null, position.Topic, position.Partition.Value, position.Offset.Value);
                Forget(commit);
            }
        }
        catch (AggregateException error)
        {
            ConsumingLog.CommitBackFailed(logger, error.InnerException, position.Topic, position.Partition.Value, position.Offset.Value);
        }
    }

    private static void Forget(Task late) =>
        _ = late.ContinueWith(static late => _ = late.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
}
