using Confluent.Kafka;
using Microsoft.Extensions.Logging;
using Narad.Kafka.Consuming;
using Narad.Kafka.KeyOrder;

namespace Narad.Kafka.Failures;

/// <summary>
/// Delays messages of retry topics until they are due. Of a message that is not due when it is read, only offset and due time stay in memory. It blocks no
/// other message. When it is due, it is read a second time. This type never handles a message and never finishes one of this group.
/// </summary>
/// <remarks>
/// Not thread-safe; used only by the poll thread, except <see cref="Waiting"/> and <see cref="NextDue"/>. There are no timers: every turn compares due times
/// with the <see cref="RetryClock"/>. So a wait may have any length, and the wall clock may jump.
/// <code>
///   read ──due──────────────────────────────▶ its key queue
///     ├──not due──▶ waits ──due──▶ read again ──▶ its key queue
///     │                 └──in the way──▶ read again ──▶ to the end of the topic (a republish), finished here
///     └──another group's, nobody's──▶ finished
/// </code>
/// A waiting message keeps the committed offset where it is. It is in the way in two cases. First: the partition is at <c>MaxUncommittedMessages</c>, and
/// half of the wait is over. Second: the partition is revoked in order while messages behind it are finished, which would otherwise be handled again.
/// </remarks>
internal sealed class RetrySchedule(Assignment assignment, RetryReader reader, ConsumerGroup group, TimeProvider time, ILogger logger)
{
    private const int MostAtOnce = 256;

    private readonly RetryClock _clock = new(time);
    private readonly HashSet<string> _saidUngrouped = new(StringComparer.Ordinal);
    private readonly LostRetries _lost = new(group.Name, time, logger);
    private long _waiting;
    private long _nextDue = long.MaxValue;

    /// <summary>Messages that are not due yet, or due and not read yet. Any thread.</summary>
    public long Waiting => Volatile.Read(ref _waiting);

    /// <summary>When the next one is due, in milliseconds since 1970; <see cref="long.MaxValue"/> where none waits. Any thread.</summary>
    public long NextDue => Volatile.Read(ref _nextDue);

    /// <summary>When the first message that waits in a retry partition is due, or was; <see cref="long.MaxValue"/> where none waits.</summary>
    public long NextDueOf(AssignedPartition partition) => Math.Min(
        Math.Min(partition.Delayed.NextDue, partition.BlockedKeys?.NextDue ?? long.MaxValue), reader.NextDueOf(partition));

    private long Now => _clock.Now;

    /// <summary>Takes over a message that was just read, unless it is to be handled now.</summary>
    /// <returns>Whether it was taken over: it waits, or it is finished.</returns>
    public bool TryDefer(AssignedPartition partition, RetrySource source, in ReceivedMessage message, long sequence)
    {
        var owner = source.OwnerOf(message.Headers);
        if (owner is not RetryOwner.Us)
        {
            if (owner is RetryOwner.Nobody)
            {
                group.Metrics.LeftUngrouped();
                if (_saidUngrouped.Add(partition.Id.Topic))
                {
                    ConsumingLog.Ungrouped(logger, partition.Id.Topic, partition.Id, message.Offset, partition.Subscription.Settings.Group);
                }
            }

            assignment.Finish(partition, sequence);
            return true;
        }

        var isOurs = partition.BlockedKeys is { } keys && IsOurs(partition, keys, message);
        if (message.Headers is { } headers && FailureHeaders.FinishedOf(headers) is { } finishedRecords)
        {
            var isKeyCheckpoint = FailureHeaders.IsKeyCheckpoint(headers);
            if (isOurs && message.Key is { } recordKey)
            {
                partition.BlockedKeys!.ReadFinished(recordKey, finishedRecords, message.Offset).ForEach(finished => assignment.Finish(partition, finished));
                if (isKeyCheckpoint && FailureHeaders.OriginOf(headers) is { } seen)
                {
                    partition.BlockedKeys.ReadKeyCheckpoint(recordKey, seen.Offset, seen.Timestamp, FailureHeaders.TextOf(headers, FailureHeaders.Writer),
                        FailureHeaders.NumberOf(headers, FailureHeaders.Committed));
                }
            }

            if (isKeyCheckpoint)
            {
                assignment.Finish(partition, sequence);
                return true;
            }
        }

        var now = Now;
        var due = DueOf(source, message);
        if (partition.BlockedKeys is { } blockedKeys && message.Key is { } key)
        {
            if (blockedKeys.Read(key, RecordOf(message, sequence, isOurs ? due : source.DueOfStranger(due, now), isOurs), now) is { } finished)
            {
                assignment.Finish(partition, finished);
            }

            assignment.CheckCapacity(partition);
            return true;
        }

        if (due <= now && !partition.IsRecovering)
        {
            return false;
        }

        partition.Delayed.Add(new DelayedRetry(message.Offset, sequence, due, now + ((due - now) / 2)));
        assignment.CheckCapacity(partition);
        return true;
    }

    private long DueOf(RetrySource source, in ReceivedMessage message) =>
        _clock.Of(source.DueOf(message.Headers, message.Timestamp, message.IsBrokerTime, time.GetUtcNow()));

    // Whether a member of the group signed it. Other records with headers of ours are counted, and logged once for each assignment.
    private bool IsOurs(AssignedPartition partition, BlockedKeys blockedKeys, in ReceivedMessage message)
    {
        if (message is not { Key: { } key, Headers: { } headers })
        {
            return false;
        }

        if (blockedKeys.Seal.Seal.IsGenuine(key, message.Value, headers) && FailureHeaders.OriginOf(headers) is not null)
        {
            return true;
        }

        if (FailureHeaders.HasClaims(headers))
        {
            group.Metrics.RefusedRecord();
            if (!blockedKeys.HasRefused)
            {
                blockedKeys.HasRefused = true;
                ConsumingLog.StrangersRefused(logger, group.Name, partition.Id, message.Offset);
            }
        }

        return false;
    }

    private static StoredRecord RecordOf(in ReceivedMessage message, long sequence, long due, bool isOurs)
    {
        var headers = message.Headers ?? [];
        var attempt = FailureHeaders.AttemptOf(headers, int.MaxValue);
        return isOurs && FailureHeaders.OriginOf(headers) is { } origin
            ? new StoredRecord(
                message.Offset,
                sequence,
                origin.Offset,
                origin.Timestamp,
                attempt,
                due,
                FailureHeaders.TextOf(headers, FailureHeaders.Writer),
                FailureHeaders.NumberOf(headers, FailureHeaders.Committed),
                IsStranger: false)
            : StoredRecord.Stranger(message.Offset, sequence, message.Timestamp, attempt, due);
    }

    /// <summary>
    /// Whether a message that was read a second time may be handled or republished. If the topic was deleted and created again, another message may be at
    /// that offset. That message is left alone; the group starts over when it notices the new topic.
    /// </summary>
    public bool Admits(AssignedPartition partition, in ReceivedMessage message, in DelayedRetry retry, bool republish)
    {
        var source = partition.Subscription.Settings.Retries!;
        if (source.OwnerOf(message.Headers) is not RetryOwner.Us)
        {
            if (republish)
            {
                partition.Delayed.OnRepublished();
            }

            return false;
        }

        var due = Math.Min(retry.Due, DueOf(source, message));
        if (republish || due <= Now)
        {
            return true;
        }

        if (partition.BlockedKeys is { } blockedKeys && blockedKeys.Has(retry.Offset))
        {
            blockedKeys.PutBack(retry.Offset, due);
        }
        else
        {
            partition.Delayed.Add(retry with { Due = due });
        }

        return false;
    }

    /// <summary>Reads some of the messages that are due; returns whether there were any.</summary>
    public bool Turn(RetryReader.Deliver deliver)
    {
        // The next one of a key is wanted as soon as the one in front of it is finished.
        foreach (var partition in group.InPairs ? assignment.Partitions : [])
        {
            if (partition is { Subscription.Settings.Retries: not null, BlockedKeys: { } blockedKeys } && blockedKeys.NextDue <= Now)
            {
                reader.Want(partition, blockedKeys.TakeDue(Now, MostAtOnce), republish: false);
            }
        }

        return Turn(deliver, assignment.HasRoomFor);
    }

    /// <inheritdoc cref="Turn(RetryReader.Deliver)"/>
    public bool Turn(RetryReader.Deliver deliver, Func<AssignedPartition, bool> hasRoom) =>
        reader.Turn(MostAtOnce, assignment.IsCurrent, hasRoom, deliver, Gone);

    /// <summary>Requests messages that are due or in the way, and counts those that wait.</summary>
    public void Tick()
    {
        reader.Idle();
        _lost.Log();
        var now = Now;
        long waiting = 0;
        var next = long.MaxValue;
        foreach (var partition in assignment.Partitions.Where(static partition => partition.Subscription.Settings.Retries is not null))
        {
            var delayed = partition.Delayed;
            if (delayed.NextDue <= now && !partition.IsRecovering)
            {
                reader.Want(partition, delayed.TakeDue(now), republish: false);
            }

            partition.BlockedKeys?.Sweep(now);
            // A republish is a record outside of transactions, so exactly-once subscriptions do without.
            if (delayed.Count + (partition.BlockedKeys?.Waiting ?? 0) > 0
                && !partition.IsRecovering
                && partition.Subscription.Settings.ExactlyOnce is null
                && assignment.SurplusOf(partition) - delayed.Republishing is > 0 and var surplus)
            {
                var republished = delayed.TakeFirst(surplus, now);
                if (partition.BlockedKeys is { } blockedKeys)
                {
                    republished.AddRange(blockedKeys.TakeFirst(surplus, now));
                }

                if (republished.Count > 0)
                {
                    delayed.Republishing += republished.Count;
                    ConsumingLog.Republishing(logger, group.Name, republished.Count, partition.Id);
                    reader.Want(partition, republished, republish: true);
                }
            }

            waiting += delayed.Count + (partition.BlockedKeys?.Waiting ?? 0);
            next = Math.Min(next, Math.Min(delayed.NextDue, partition.BlockedKeys?.NextDue ?? long.MaxValue));
        }

        Volatile.Write(ref _waiting, waiting + reader.Wanted);
        next = Math.Min(next, reader.NextDue);
        Volatile.Write(ref _nextDue, next == long.MaxValue ? next : _clock.WallOf(next));
    }

    /// <summary>
    /// Starts to republish messages that wait in front of finished messages, in partitions that are about to be revoked. These messages are not due, or due and
    /// not read, or not started in their key queue. The last ones go to <paramref name="move"/> at once. Records of a key that is kept in order are not
    /// republished: a key checkpoint says which of them are finished.
    /// </summary>
    /// <returns>The partitions with messages to republish; <see cref="DelayedRetries.Republishing"/> counts them.</returns>
    public List<AssignedPartition> StartRepublishing(IEnumerable<AssignedPartition> leaving, Action<Delivery> move)
    {
        var moving = new List<AssignedPartition>();
        foreach (var partition in leaving.Where(static partition => partition is { Subscription.Settings.Retries: not null, IsRecovering: false }))
        {
            bool IsBlocked(long offset) => partition.BlockedKeys?.Has(offset) is true;
            var delayed = partition.Delayed;
            var finished = partition.Tracker.LastFinished ?? -1;
            foreach (var unstarted in partition.Subscription.KeyQueues.TakeUnstarted(partition))
            {
                var isMoving = ReferenceEquals(unstarted.Forwarding, Forwarding.Republish);
                if (IsBlocked(unstarted.Offset))
                {
                    delayed.Republishing -= isMoving ? 1 : 0;
                    continue;
                }

                if (unstarted.Forwarding is null && unstarted.Offset < finished)
                {
                    unstarted.Forwarding = Forwarding.Republish;
                    isMoving = true;
                    delayed.Republishing++;
                }

                if (isMoving)
                {
                    move(unstarted);
                }
            }

            if (partition.Tracker.LastFinished is { } last)
            {
                var republished = delayed.TakeBelow(last);
                delayed.Republishing += reader.RepublishInstead(partition, IsBlocked) + republished.Count;
                reader.Want(partition, republished, republish: true);
            }

            if (delayed.Republishing > 0)
            {
                ConsumingLog.Republishing(logger, group.Name, delayed.Republishing, partition.Id);
                moving.Add(partition);
            }
        }

        return moving;
    }

    /// <summary>
    /// Writes the key checkpoints of partitions that are about to be revoked; see <see cref="BlockedKeys.TakeKeyCheckpoints"/>. The returned task
    /// does not fail.
    /// </summary>
    /// <returns>Whether all of it was written.</returns>
    public async Task<bool> WriteKeyCheckpointsAsync(IEnumerable<AssignedPartition> leaving)
    {
        var writing = new List<Task<bool>>();
        foreach (var partition in leaving)
        {
            if (partition is { BlockedKeys: { } blockedKeys, Subscription.Settings: { Retries: { } retries, FailureTopics: { } failureTopics } settings })
            {
                blockedKeys.FinishDuplicates().ForEach(sequence => assignment.Finish(partition, sequence));
                var source = assignment.TryFind(new TopicPartition(retries.Source, partition.Partition.Partition), out var found)
                    ? found.Tracker.Committable : null;
                writing.AddRange(blockedKeys.TakeKeyCheckpoints(source).Select(
                    checkpoint => WriteAsync(failureTopics.WriteKeyCheckpointAsync(checkpoint, retries.Source, partition.Id.Partition, settings.Group))));
            }
        }

        return Array.TrueForAll(await Task.WhenAll(writing).ConfigureAwait(false), static isWritten => isWritten);

        async Task<bool> WriteAsync(Task write)
        {
            try
            {
                await write.ConfigureAwait(false);
                return true;
            }
            catch (Exception error)
            {
                ConsumingLog.KeyCheckpointsNotWritten(logger, error, group.Name);
                return false;
            }
        }
    }

    /// <summary>Call when the partition's log was truncated: the waiting messages are no longer at their offsets.</summary>
    public void Forget(AssignedPartition partition)
    {
        reader.Forget(partition);
        partition.Delayed.Clear();
        if (partition.Subscription.Settings.Retries is not null)
        {
            partition.BlockedKeys?.Reset();
        }
    }

    /// <summary>Closes the reader.</summary>
    public void Close()
    {
        _lost.Log(isLast: true);
        reader.Close();
    }

    private void Gone(AssignedPartition partition, DelayedRetry retry, bool republish)
    {
        if (republish)
        {
            partition.Delayed.OnRepublished();
        }

        partition.BlockedKeys?.OnRecordLost(retry.Offset);
        _lost.Add(partition.Id, retry.Offset);
        group.Metrics.LostToRetention();
        assignment.Finish(partition, retry.Sequence);
    }
}
