using System.Collections.ObjectModel;
using Confluent.Kafka;
using Microsoft.Extensions.Logging;
using Narad.Kafka.Clients.Interop;
using Narad.Kafka.Topics;

namespace Narad.Kafka.Consuming;

/// <summary>
/// Makes certain where an assigned partition starts before anything of it is handled. Where the group has committed, the client is made to check that the
/// log still holds what was handled (KIP-320): librdkafka compares a committed leader epoch with the log only when the epoch changes while it runs, not
/// when it starts, and would continue as if nothing had been lost where the log was truncated and has grown past the offset since. It does compare where it
/// is told to seek, so it is told to seek to where the group stands. Where the group has committed nothing and starts at the end, the end is looked up, so
/// that it is known when the subscription is said to run. A retry partition whose keys are kept in order also waits for its seal. With what is committed comes
/// what the group finished ahead of it.
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
/// <param name="topics">Says which topic it is; null in tests that do not record what is finished ahead.</param>
/// <param name="group">The group's name.</param>
internal sealed class PositionCheck(
    Assignment assignment, bool comparesEpochs, TimeProvider time, ILogger logger, KafkaTopics? topics = null, string group = "")
{
    // Then it is done without the topics' ids: a group does not stand still because they cannot be had.
    private const int MostFailures = 3;

    private static readonly TimeSpan AskTimeout = TimeSpan.FromSeconds(10);
    private static readonly IReadOnlyDictionary<string, TopicSight> NoIds = ReadOnlyDictionary<string, TopicSight>.Empty;

    private readonly Dictionary<AssignedPartition, TopicPartitionOffset> _committed = [];
    private Task<List<Answer>>? _asked;
    private string? _said;
    private bool _any;
    private long _next;
    private int _failures;

    /// <summary>Completes when the client is not asked anything any more: it must not be disposed before. Bounded by the time that it is asked with.</summary>
    public Task Asking => _asked ?? Task.CompletedTask;

    /// <summary>A partition was assigned, and starts at what the group has committed.</summary>
    public void Begin(AssignedPartition partition)
    {
        if (!partition.IsFailureTopic && (comparesEpochs || StartsAtEnd(partition) || partition.IsRecovering || IsToBeLookedUp(partition)))
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
            if ((!IsDecided(partition) || IsToBeLookedUp(partition)) && !_committed.ContainsKey(partition))
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
            var mayFail = _failures < MostFailures;
            _asked = Task.Run(() => AskAsync(client, unasked, mayFail));
            _any = true;
        }
    }

    private bool IsToBeLookedUp(AssignedPartition partition) => topics is not null && partition is { TakesAhead: true, IsLookedUp: false };

    private static bool StartsAtEnd(AssignedPartition partition) => partition.Subscription.Settings.Start is StartPosition.Latest;

    // Then it is assigned anew, or not read.
    private static bool IsDecided(AssignedPartition partition) => partition.StartAt is not null || partition.Missing is { IsCertain: true }
        || partition.Unreadable is not null;

    // On another thread: changes nothing.
    private async Task<List<Answer>> AskAsync(IConsumer<byte[]?, byte[]?> client, List<AssignedPartition> partitions, bool mayFail)
    {
        var wanted = partitions.ConvertAll(static partition => partition.Partition);
        var (committed, ids) = topics is not null && LibrdkafkaOffsets.IsAvailable(client.Handle)
            ? (LibrdkafkaOffsets.Committed(client.Handle, wanted, AskTimeout), await IdsAsync(topics, partitions, mayFail).ConfigureAwait(false))
            : (client.Committed(wanted, AskTimeout).Where(static position => !position.Offset.IsSpecial).ToDictionary(
                static position => position.TopicPartition,
                static position => new CommittedOffset(position.Offset.Value, Metadata: null, position.LeaderEpoch)), NoIds);
        return partitions.ConvertAll(partition =>
        {
            var isThere = committed.TryGetValue(partition.Partition, out var found);
            var end = !isThere && StartsAtEnd(partition) ? client.QueryWatermarkOffsets(partition.Partition, AskTimeout).High : (Offset?)null;
            return new Answer(
                partition,
                new TopicPartitionOffset(partition.Partition, isThere ? found.Offset : Offset.Unset, found.LeaderEpoch),
                end,
                found.Metadata,
                ids.GetValueOrDefault(partition.Partition.Topic)?.Id);
        });
    }

    // After what is committed: a topic that is created again in between has another id, and the metadata does not count.
    private static async Task<IReadOnlyDictionary<string, TopicSight>> IdsAsync(KafkaTopics topics, List<AssignedPartition> partitions, bool mayFail)
    {
        var names = partitions.Where(static partition => partition.TakesAhead).Select(static partition => partition.Partition.Topic)
            .Distinct(StringComparer.Ordinal).ToList();
        try
        {
            return await topics.SeeAsync(names, CancellationToken.None).ConfigureAwait(false);
        }
        catch (Exception error) when (!mayFail && error is KafkaTopicException or KafkaConnectionException)
        {
            return NoIds;
        }
    }

    private void Take(Task<List<Answer>> answer)
    {
        _asked = null;
        if (!answer.IsCompletedSuccessfully)
        {
            _failures++;
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
        _failures = 0;
        _committed.Clear();
        foreach (var (partition, committed, end, metadata, topicId) in answer.Result)
        {
            // Of this assignment only: since an older one, another member may have handled more.
            if (!assignment.IsCurrent(partition) || !partition.IsUnchecked)
            {
                continue;
            }

            _committed[partition] = committed;
            partition.IsLookedUp = true;
            if (partition.TakesAhead)
            {
                partition.TopicId = topicId;
            }

            if (!committed.Offset.IsSpecial && partition.Tracker.Next is null)
            {
                partition.Stored = committed.Offset.Value;
                partition.StoredEpoch = committed.LeaderEpoch;
                if (partition.TakesAhead && !IsDecided(partition))
                {
                    Resume(partition, committed.Offset.Value, metadata);
                }
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

    private void Resume(AssignedPartition partition, long offset, string? metadata)
    {
        partition.Ahead = FinishedAhead.Read(metadata, offset, partition.TopicId, out var why);
        if (partition.Ahead is { } ahead)
        {
            ConsumingLog.ContinuesWithFinished(logger, partition.Id, offset, ahead.Count, group);
        }
        else if (why is not null)
        {
            ConsumingLog.MetadataIgnored(logger, partition.Id, offset, why, group);
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

    private sealed record Answer(AssignedPartition Partition, TopicPartitionOffset Committed, Offset? End, string? Metadata, string? TopicId);
}
