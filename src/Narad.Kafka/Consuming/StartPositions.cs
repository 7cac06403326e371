using Confluent.Kafka;
using Microsoft.Extensions.Logging;

namespace Narad.Kafka.Consuming;

/// <summary>
/// Where a partition starts that has no committed offset, or one that is not in the log any more (S32): the client only says so, we decide.
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
    Action<AssignedPartition, long, Exception> stopped,
    Action<Error> refused)
{
    private bool _wanted;   // the client named partitions since they were last decided
    private long _next;     // when those that could not be decided are tried again

    /// <summary>Whether the client's group gives and takes partitions one by one, not all of them at each rebalance.</summary>
    public bool IsIncremental { get; set; }

    /// <summary>The client found no start for a partition: <paramref name="offset"/> is not in its log, or (below 0) none was committed.</summary>
    public void Missing(AssignedPartition partition, long offset)
    {
        if (partition.Unreadable is null)
        {
            partition.Missing = offset;
            _wanted = true;
        }
    }

    /// <summary>An unreadable partition goes on at its first message.</summary>
    public void ResumeFromEarliest(AssignedPartition partition)
    {
        partition.StartAt = Offset.Beginning;
        Reassign([partition]);
        partition.Stored = partition.UnreadableAt >= 0 ? partition.UnreadableAt : null;
        partition.Unreadable = null;
        group.Metrics.Reset();
        ConsumingLog.ResumedFromEarliest(logger, partition.Id, group.Name);
    }

    /// <summary>An unreadable partition goes on at this offset.</summary>
    public void ResumeAt(AssignedPartition partition, long offset)
    {
        partition.StartAt = offset;
        Reassign([partition]);
    }

    /// <summary>Decides what is due, if anything is: once a turn, after polling.</summary>
    public void Settle()
    {
        if (!_wanted && time.GetTimestamp() < _next)
        {
            return;
        }

        _wanted = false;
        _next = time.GetTimestamp() + time.TimestampFrequency;
        List<AssignedPartition> starting = [];
        try
        {
            foreach (var partition in assignment.Partitions)
            {
                if (partition.Missing is { } missing && Decide(partition, missing))
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
            if (partition.Missing is { } missing and >= 0)
            {
                group.Metrics.Reset();
                ConsumingLog.OffsetReset(logger, partition.Id, missing, partition.StartAt == Offset.Beginning ? "earliest" : "latest", group.Name);
            }

            // What was committed is known to be out of range: where the new start is below it, it is committed back.
            partition.Stored = partition.Missing >= 0 ? partition.Missing : null;
            partition.Missing = null;
        }
    }

    // Whether it starts somewhere; else it is unreadable, and said to be.
    private bool Decide(AssignedPartition partition, long missing)
    {
        var settings = partition.Subscription.Settings;
        switch (missing < 0 ? settings.Start : StartOf(settings.OutOfRange))
        {
            case StartPosition.Earliest:
                partition.StartAt = Offset.Beginning;
                return true;
            case StartPosition.Latest:
                // Looked up and stored (at the next tick), so that it is committed: otherwise a restart before the first message would skip what came
                // meanwhile. It is looked up once, unless that was refused: a second look would skip what came between the two.
                var end = partition.StartAt is { } known && known != missing ? known : assignment.Client.QueryWatermarkOffsets(partition.Partition, TimeSpan.FromSeconds(5)).High;
                partition.StartAt = end;
                partition.Tracker.Begin(end.Value);
                return true;
            default:
                MakeUnreadable(partition, missing);
                return false;
        }
    }

    private static StartPosition StartOf(OutOfRangePolicy policy) => policy switch
    {
        OutOfRangePolicy.ResetToEarliest => StartPosition.Earliest,
        OutOfRangePolicy.ResetToLatest => StartPosition.Latest,
        _ => StartPosition.Stop,
    };

    private void MakeUnreadable(AssignedPartition partition, long missing)
    {
        partition.Unreadable = new OffsetUnavailableException(missing < 0
            ? $"Group '{group.Name}' has no committed offset for {partition.Id}, and its start position is {nameof(StartPosition.Stop)}. Commit one, choose another start position, or resume the partition to start at its first message."
            : $"Offset {missing} of {partition.Id}, where group '{group.Name}' stands, is not in the partition any more: retention deleted it, or the topic was created again. Resume the partition to go on at its first message, or choose {nameof(OutOfRangePolicy)}.{nameof(OutOfRangePolicy.ResetToEarliest)}.");
        partition.UnreadableAt = Math.Max(missing, -1);
        partition.Missing = null;
        stopped(partition, partition.UnreadableAt, partition.Unreadable);
    }

    // After auto.offset.reset=error a partition cannot be sought, only assigned again. An eager assignment is given whole, so every other
    // partition goes on behind its latest message, or at the start that was decided for it and has not come true yet. (The client's own
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
                var position = other.StartAt ?? (other.Tracker.Next is { } next ? new Offset(next) : Offset.Unset);
                all.Add(new TopicPartitionOffset(other.Partition, position));
                assignment.ForgetPause(other);
                other.Stored = null;
            }

            assignment.Client.Assign(all);
        }

        assignment.Client.AwaitStops();
    }
}
