using Confluent.Kafka;
using Microsoft.Extensions.Logging;

namespace Narad.Kafka.Consuming;

/// <summary>
/// Where a partition starts that has no committed offset, or one that is not in the log any more: the client only says so, we decide.
/// </summary>
/// <remarks>
/// Single-threaded: poll thread only. Once the client said that an offset is missing it is silent about that partition: what failed to be decided
/// is tried again. It says so for one partition after the other, and all are decided at once, since each decision is an assignment.
/// </remarks>
internal sealed class StartPositions(
    Assignment assignment,
    ConsumerGroup group,
    TimeProvider time,
    ILogger logger,
    PositionCheck checks,
    Action<AssignedPartition, long, Exception> stopped,
    Action<Error> refused)
{
    private static readonly TimeSpan LookUpTimeout = TimeSpan.FromSeconds(5);

    private bool _wanted;   // the client named partitions since they were last decided
    private long _next;     // when those that could not be decided are tried again

    /// <summary>Whether the client's group gives and takes partitions one by one, not all of them at each rebalance.</summary>
    public bool IsIncremental { get; set; }

    /// <summary>
    /// The client found no start for a partition: <paramref name="offset"/> is not in its log, or (where it is special) none was committed, or the log was
    /// truncated.
    /// </summary>
    public void Missing(AssignedPartition partition, long offset, string reason)
    {
        if (partition.Unreadable is not null)
        {
            return;
        }

        // Only a position with an epoch is compared with the log. A start that was decided already has none, and is not lost.
        partition.Missing = offset < 0 && partition.StartAt is not null
            ? MissingOffset.NoneCommitted
            : MissingOffset.Of(offset, reason, partition.Position is { LeaderEpoch: not null } position ? position.Offset.Value : null);
        if (group.IsBroadcast && partition.Missing is { IsNewGroup: true } or { IsCertain: false })
        {
            // It stands where it says itself; nobody else knows.
            partition.Missing = partition.Missing.WithCommitted(partition.Tracker.Next ?? 0);
        }

        _wanted = true;
    }

    /// <summary>An unreadable partition continues at its first message.</summary>
    public void ResumeFromEarliest(AssignedPartition partition)
    {
        partition.StartAt = partition.UnreadableAt < 0 ? Offset.Beginning : FirstOf(partition);
        Reassign([partition]);
        group.Metrics.Reset();
        ConsumingLog.ResumedFromEarliest(logger, partition.Id, group.Name);
        Begin(partition, partition.UnreadableAt);
    }

    /// <summary>An unreadable partition continues at this offset.</summary>
    public void ResumeAt(AssignedPartition partition, long offset)
    {
        partition.StartAt = offset;
        Reassign([partition]);
    }

    /// <summary>Decides what is due, if anything is: once a turn, after polling.</summary>
    public void DecideDue()
    {
        if (!_wanted && time.GetTimestamp() < _next)
        {
            return;
        }

        // what the group has committed is asked for already
        _wanted = assignment.Partitions.Any(static partition => partition is { Missing: not null, IsUnchecked: true });
        _next = time.GetTimestamp() + time.TimestampFrequency;
        List<AssignedPartition> starting = [];
        try
        {
            AskWhatIsCommitted();
            foreach (var partition in assignment.Partitions)
            {
                if (partition is { Missing: { } missing, IsUnchecked: false } && Decide(partition, missing))
                {
                    starting.Add(partition);
                }
            }

            Reassign(starting);
        }
        catch (KafkaException error)
        {
            // Later, all of them: one look-up that waits in vain is enough for a turn.
            refused(error.Error);
            return;
        }

        foreach (var partition in starting)
        {
            var missing = partition.Missing!;
            partition.Missing = null;
            if (!missing.IsNewGroup)
            {
                SayTruncated(partition, missing);
                group.Metrics.Reset();
                ConsumingLog.OffsetReset(logger, partition.Id, missing.Offset,
                    StartOf(partition.Subscription.Settings.OutOfRange) is StartPosition.Earliest ? "earliest" : "latest", group.Name);
            }

            Begin(partition, missing.Offset);
        }
    }

    // Only the group knows: the client names no offset where none was committed, and none where the log was truncated.
    private void AskWhatIsCommitted()
    {
        var asked = assignment.Partitions.Where(static partition => partition is { Missing.IsCertain: false, IsUnchecked: false })
            .Select(static partition => partition.Partition).ToList();
        if (asked.Count == 0)
        {
            return;
        }

        foreach (var committed in assignment.Client.Committed(asked, LookUpTimeout))
        {
            if (assignment.TryFind(committed.TopicPartition, out var partition) && partition.Missing is { } missing)
            {
                partition.Missing = missing.WithCommitted(committed.Offset.Value);
            }
        }
    }

    // Whether it starts somewhere; else it is unreadable, and said to be.
    private bool Decide(AssignedPartition partition, MissingOffset missing)
    {
        var settings = partition.Subscription.Settings;
        switch (missing.IsNewGroup ? settings.Start : StartOf(settings.OutOfRange))
        {
            case StartPosition.Earliest:
                partition.StartAt = missing.IsNewGroup ? Offset.Beginning : FirstOf(partition);
                return true;
            case StartPosition.Latest:
                // Looked up and stored (at the next tick), so that it is committed: otherwise a restart before the first message would skip what came
                // meanwhile. It is looked up once, unless that was refused: a second look would skip what came between the two.
                partition.StartAt = partition.StartAt is { } known && known != missing.Offset ? known
                    : assignment.Client.QueryWatermarkOffsets(partition.Partition, LookUpTimeout).High;
                return true;
            default:
                MakeUnreadable(partition, missing);
                return false;
        }
    }

    private Offset FirstOf(AssignedPartition partition) => assignment.Client.QueryWatermarkOffsets(partition.Partition, LookUpTimeout).Low;

    private static StartPosition StartOf(OutOfRangePolicy policy) => policy switch
    {
        OutOfRangePolicy.ResetToEarliest => StartPosition.Earliest,
        OutOfRangePolicy.ResetToLatest => StartPosition.Latest,
        _ => StartPosition.Stop,
    };

    // The start that was decided comes true. What was committed is lost where there was something (missing, from 0 on): then the start is committed at
    // once, also where it is below that.
    private void Begin(AssignedPartition partition, long missing)
    {
        var start = partition.StartAt!.Value;
        var begun = missing < 0 || partition.Tracker.Next is null ? partition : assignment.Renew(partition);   // what arrived before is of another log
        begun.Unreadable = null;
        begun.StartAt = start;
        begun.Stored = missing >= 0 ? missing : null;
        begun.Ahead = null;
        if (!start.IsSpecial)
        {
            begun.Tracker.Begin(start.Value);
        }
    }

    private void SayTruncated(AssignedPartition partition, MissingOffset missing)
    {
        if (missing.IsTruncated)
        {
            group.Metrics.Truncated();
            ConsumingLog.LogTruncated(logger, partition.Id, missing.EndText, missing.Offset, group.Name);
        }
    }

    private void MakeUnreadable(AssignedPartition partition, MissingOffset missing)
    {
        SayTruncated(partition, missing);
        partition.Unreadable = new OffsetUnavailableException(Why(partition, missing));
        partition.UnreadableAt = missing.Offset;
        partition.Missing = null;
        stopped(partition, partition.UnreadableAt, partition.Unreadable);
    }

    private string Why(AssignedPartition partition, MissingOffset missing)
    {
        var choices = $"choose {nameof(OutOfRangePolicy)}.{nameof(OutOfRangePolicy.ResetToEarliest)} or {nameof(OutOfRangePolicy.ResetToLatest)} for "
            + $"{nameof(KafkaOptions.OnOutOfRange)}";
        if (missing.IsNewGroup)
        {
            return $"Group '{group.Name}' has no committed offset for {partition.Id}, and its start position is {nameof(StartPosition.Stop)}. Commit "
                + "one, choose another start position, or resume the partition to start at its first message.";
        }

        if (missing.IsTruncated)
        {
            var seek = missing.LogEnd is { } end ? $"Seek to offset {end} to handle what was sent since, " : "";
            return $"Log truncated: group '{group.Name}' stands at offset {missing.Offset} of {partition.Id}, but its log was cut at offset "
                + $"{missing.EndText} (an unclean leader election). The messages between are lost, "
                + $"and what was sent since may have their offsets. {seek}resume the partition to continue at its first message, or {choices}.";
        }

        return $"Offset {missing.Offset} of {partition.Id}, where group '{group.Name}' stands, is not in the partition any more: retention or "
            + "somebody deleted it, the topic was created again, or its log was truncated. "
            + $"Resume the partition to continue at its first message, seek to an offset, or {choices}.";
    }

    // After auto.offset.reset=error a partition cannot be sought, only assigned again. An eager assignment is given whole, so every other
    // partition continues behind its latest message, or at the start that was decided for it and has not come true yet. (The client's own
    // position is forgotten by an assignment, and so are its stored offsets.)
    private void Reassign(List<AssignedPartition> starting)
    {
        if (starting.Count == 0)
        {
            return;
        }

        if (IsIncremental)
        {
            var partitions = starting.ConvertAll(partition => partition.Partition);
            assignment.Client.IncrementalUnassign(partitions);
            starting.ForEach(assignment.ForgetPause);
            assignment.Client.IncrementalAssign(starting.ConvertAll(partition => new TopicPartitionOffset(partition.Partition, partition.StartAt!.Value)));
        }
        else
        {
            var all = new List<TopicPartitionOffset>(assignment.Partitions.Count);
            foreach (var other in assignment.Partitions)
            {
                if (other is { StartAt: null, Position: null })
                {
                    checks.Begin(other);
                }

                all.Add(other.StartAt is { } start ? new TopicPartitionOffset(other.Partition, start) : other.Position
                    ?? new TopicPartitionOffset(other.Partition, Offset.Unset));
                assignment.ForgetPause(other);
                other.Stored = null;
            }

            assignment.Client.Assign(all);
        }

        assignment.Client.AwaitStops();
    }
}
