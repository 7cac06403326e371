using Confluent.Kafka;
using Microsoft.Extensions.Logging;
using Narad.Kafka.Consuming;
using Narad.Kafka.KeyOrder;

namespace Narad.Kafka.Failures;

/// <summary>
/// Holds messages of retry topics back until they are due. One that is not due when it is read leaves only its offset and due time behind, so it blocks
/// nothing and costs next to nothing; when it is due it is read a second time. It never handles a message and never finishes one of this group's.
/// </summary>
/// <remarks>
/// Single-threaded: poll thread only, but for <see cref="Waiting"/> and <see cref="NextDue"/>. There are no timers: every turn compares due times with the
/// <see cref="RetryClock"/>, so a wait may be as long as it likes and the wall clock may jump.
/// <code>
///   read ──due──────────────────────────────▶ its key queue
///     ├──not due──▶ waits ──due──▶ read again ──▶ its key queue
///     │                 └──in the way──▶ read again ──▶ to the end of the topic (a republish), finished here
///     └──another group's, nobody's──▶ finished
/// </code>
/// What waits keeps the group's offset where it is. So it is in the way where it keeps the partition at <c>MaxUncommittedMessages</c>, once half its wait
/// is over; and where the partition is revoked in order although messages behind it are finished, which would otherwise be handled again.
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

    /// <summary>Whether a message that was just read is not to be handled now: then it was seen to.</summary>
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

    // Whether a member of the group signed it. What else claims something is counted, and logged once an assignment.
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
    /// Whether what was read a second time may be handled, or moved. Where its topic was created again another message may be there: that one is left
    /// alone, and the group begins again when that is noticed.
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

    /// <summary>Reads some of what is due by now; returns whether there was anything.</summary>
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

    /// <summary>Looks for what is due, and for what is in the way; counts.</summary>
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
            // A republish is a record outside of transactions; there is none where these are wanted.
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
    /// Wants what waits in front of finished messages of these partitions, which are about to be revoked, to be moved: what is not due, what is due and
    /// not read, and, handed to <paramref name="move"/> at once, what is in its key queue and was not begun. Of a key that is kept in order nothing is moved:
    /// which of its records are finished is written down instead.
    /// </summary>
    /// <returns>Those of them where something is to be moved: as long as <see cref="DelayedRetries.Republishing"/> says.</returns>
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

    /// <summary>The partition's log went back: what waited is not where it was.</summary>
    public void Forget(AssignedPartition partition)
    {
        reader.Forget(partition);
        partition.Delayed.Clear();
        if (partition.Subscription.Settings.Retries is not null)
        {
            partition.BlockedKeys?.Reset();
        }
    }

    /// <summary>Closes what it reads with.</summary>
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
