using Confluent.Kafka;
using Microsoft.Extensions.Logging;
using Narad.Kafka.Clients.Interop;

namespace Narad.Kafka.Consuming;

/// <summary>
/// Makes certain where an assigned partition starts before anything of it is handled. Where the group has committed, the client is made to check that the
/// log still holds what was handled (KIP-320): librdkafka compares a committed leader epoch with the log only when the epoch changes while it runs, not
/// when it starts, and would continue as if nothing had been lost where the log was truncated and has grown past the offset since. It does compare where it
/// is told to seek, so it is told to seek to where the group stands. Where the group has committed nothing and starts at the end, the end is looked up, so
/// that it is known when the subscription is said to run. A retry partition whose keys are kept in order also waits for its seal.
/// </summary>
/// <remarks>
/// Single-threaded: poll thread only. The partitions are paused meanwhile; what is committed is asked for in the background.
/// <code>
///   assigned ──▶ unchecked (paused) ──committed with an epoch──▶ sought ──▶ fetched
///                                   ├─none committed──▶ its end is its start──▶ fetched
///                                   └─without an epoch, or its start was decided──▶ fetched
/// </code>
/// </remarks>
/// <param name="assignment">The partitions.</param>
/// <param name="comparesEpochs">Whether the brokers can say where an epoch ended; else only ends are looked up.</param>
/// <param name="time">The clock.</param>
/// <param name="logger">Of the poll loop.</param>
internal sealed class PositionCheck(Assignment assignment, bool comparesEpochs, TimeProvider time, ILogger logger)
{
    private static readonly TimeSpan AskTimeout = TimeSpan.FromSeconds(10);

    private readonly Dictionary<AssignedPartition, TopicPartitionOffset> _committed = [];
    private Task<List<Answer>>? _asked;
    private string? _said;
    private bool _any;
    private long _next;

    /// <summary>Completes when the client is not asked anything any more: it must not be disposed before. Bounded by the time that it is asked with.</summary>
    public Task Asking => _asked ?? Task.CompletedTask;

    /// <summary>A partition was assigned, and starts at what the group has committed.</summary>
    public void Begin(AssignedPartition partition)
    {
        if (!partition.IsFailureTopic && (comparesEpochs || StartsAtEnd(partition) || partition.IsRecovering))
        {
            partition.IsUnchecked = true;
            _committed.Remove(partition);
            _any = true;
        }
    }

    /// <summary>Continues with those that are not checked: once a turn, between two polls.</summary>
    public void Turn()
    {
        if (!_any)
        {
            return;
        }

        if (_asked is { IsCompleted: true } answer)
        {
            Take(answer);
        }

        List<AssignedPartition> unasked = [];
        _any = _asked is not null;
        foreach (var partition in assignment.Partitions.Where(static partition => partition.IsUnchecked))
        {
            if (!IsDecided(partition) && !_committed.ContainsKey(partition))
            {
                unasked.Add(partition);
                _any = true;
            }
            else if (!partition.AwaitsSeal && TrySeek(partition))
            {
                partition.IsUnchecked = false;
                _committed.Remove(partition);
                assignment.SetPause(partition);
            }
            else
            {
                _any = true;
            }
        }

        if (_asked is null && unasked.Count > 0 && time.GetTimestamp() >= _next)
        {
            var client = assignment.Client;
            _asked = Task.Run(() => Ask(client, unasked));
            _any = true;
        }
    }

    private static bool StartsAtEnd(AssignedPartition partition) => partition.Subscription.Settings.Start is StartPosition.Latest;

    // Then it is assigned anew, or not read.
    private static bool IsDecided(AssignedPartition partition) => partition.StartAt is not null || partition.Missing is { IsCertain: true }
        || partition.Unreadable is not null;

    // On another thread: changes nothing.
    private static List<Answer> Ask(IConsumer<byte[]?, byte[]?> client, List<AssignedPartition> partitions)
    {
        var committed = client.Committed(partitions.ConvertAll(static partition => partition.Partition), AskTimeout)
            .ToDictionary(static position => position.TopicPartition);
        return partitions.ConvertAll(partition => new Answer(
            partition,
            committed[partition.Partition],
            committed[partition.Partition].Offset.IsSpecial && StartsAtEnd(partition) ? client.QueryWatermarkOffsets(partition.Partition, AskTimeout).High
                : null));
    }

    private void Take(Task<List<Answer>> answer)
    {
        _asked = null;
        if (!answer.IsCompletedSuccessfully)
        {
            _next = time.GetTimestamp() + time.TimestampFrequency;
            var error = answer.Exception!.InnerException!;
            if (!string.Equals(_said, error.Message, StringComparison.Ordinal))
            {
                _said = error.Message;
                ConsumingLog.NotChecked(logger, error);
            }

            return;
        }

        _said = null;
        _committed.Clear();
        foreach (var (partition, committed, end) in answer.Result)
        {
            // Of this assignment only: since an older one, another member may have handled more.
            if (!assignment.IsCurrent(partition) || !partition.IsUnchecked)
            {
                continue;
            }

            _committed[partition] = committed;
            if (!committed.Offset.IsSpecial && partition.Tracker.Next is null)
            {
                partition.Stored = committed.Offset.Value;
                partition.StoredEpoch = committed.LeaderEpoch;
            }

            if (partition.Missing is { IsCertain: false } missing)
            {
                partition.Missing = missing.WithCommitted(committed.Offset.Value);
            }

            if (end is { } start && partition is { StartAt: null, Unreadable: null })
            {
                // Committed from now on, also where the partition is revoked before its first message.
                partition.StartAt = start;
                partition.Tracker.Begin(start.Value);
            }
        }
    }

    // Whether the client was told where to continue, where that is needed.
    private bool TrySeek(AssignedPartition partition)
    {
        var position = IsDecided(partition) ? null
            : comparesEpochs && _committed[partition] is { Offset.Value: > 0, LeaderEpoch: >= 0 } committed ? committed
            : partition.Dropped is { } dropped ? new TopicPartitionOffset(partition.Partition, dropped)
            : null;
        if (position is null)
        {
            return true;
        }

        try
        {
            assignment.Client.SeekTo(position);
            return true;
        }
        catch (KafkaException error) when (error.Error.Code is ErrorCode.Local_State or ErrorCode.Local_UnknownPartition)
        {
            return false;   // it does not fetch yet: it looks for what is committed itself
        }
    }

    private sealed record Answer(AssignedPartition Partition, TopicPartitionOffset Committed, Offset? End);
}
