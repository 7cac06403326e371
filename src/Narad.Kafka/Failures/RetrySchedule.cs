using Confluent.Kafka;
using Microsoft.Extensions.Logging;
using Narad.Kafka.Consuming;
using Narad.Kafka.Parking;

namespace Narad.Kafka.Failures;

/// <summary>
/// Holds messages of retry topics back until they are due. One that is not due when it is read leaves only its offset and due time behind, so it blocks
/// nothing and costs next to nothing; when it is due it is read a second time. It never handles a message and never finishes one of this group's.
/// </summary>
/// <remarks>
/// Single-threaded: poll thread only, but for <see cref="Waiting"/> and <see cref="NextDue"/>. There are no timers: every turn compares due times with the
/// <see cref="RetryClock"/>, so a wait may be as long as it likes and the wall clock may jump.
/// <code>
///   read ──due──────────────────────────────▶ its lane
///     ├──not due──▶ waits ──due──▶ read again ──▶ its lane
///     │                 └──in the way──▶ read again ──▶ to the end of the topic (a hop), finished here
///     └──another group's, nobody's──▶ finished
/// </code>
/// What waits keeps the group's offset where it is. So it is in the way where it keeps the partition at <c>MaxUncommittedMessages</c>, once half its wait
/// is over; and where the partition is given away in order although messages behind it are finished, which would otherwise be handled again.
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
        Math.Min(partition.Delayed.NextDue, partition.Parking?.NextDue ?? long.MaxValue), reader.NextDueOf(partition));

    private long Now => _clock.Now;

    /// <summary>Whether a message that was just read is not to be handled now: then it was seen to.</summary>
    public bool Defers(AssignedPartition partition, RetrySource source, in ReceivedMessage message, long arrival)
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

            assignment.Finish(partition, arrival);
            return true;
        }

        var isOurs = partition.Parking is { } keys && IsOurs(partition, keys, message);
        if (message.Headers is { } headers && FailureHeaders.ReleaseOf(headers) is { } release)
        {
            var isOnlyRelease = FailureHeaders.IsOnlyRelease(headers);
            if (isOurs && message.Key is { } released)
            {
                partition.Parking!.ReadRelease(released, release, message.Offset).ForEach(copy => assignment.Finish(partition, copy));
                if (isOnlyRelease && FailureHeaders.OriginOf(headers) is { } seen)
                {
                    partition.Parking.ReadSeen(released, seen.Offset, seen.Timestamp, FailureHeaders.TextOf(headers, FailureHeaders.Writer),
                        FailureHeaders.NumberOf(headers, FailureHeaders.Committed));
                }
            }

            if (isOnlyRelease)
            {
                assignment.Finish(partition, arrival);
                return true;
            }
        }

        var now = Now;
        var due = DueOf(source, message);
        if (partition.Parking is { } parking && message.Key is { } key)
        {
            if (parking.Read(key, RecordOf(message, arrival, isOurs ? due : source.DueOfStranger(due, now), isOurs), now) is { } finished)
            {
                assignment.Finish(partition, finished);
            }

            assignment.Defer(partition);
            return true;
        }

        if (due <= now && !partition.IsRecovering)
        {
            return false;
        }

        partition.Delayed.Add(new DelayedRetry(message.Offset, arrival, due, now + ((due - now) / 2)));
        assignment.Defer(partition);
        return true;
    }

    private long DueOf(RetrySource source, in ReceivedMessage message) =>
        _clock.Of(source.DueOf(message.Headers, message.Timestamp, message.IsBrokerTime, time.GetUtcNow()));

    // Whether a member of the group signed it. What else claims something is counted, and logged once an assignment.
    private bool IsOurs(AssignedPartition partition, KeyParking parking, in ReceivedMessage message)
    {
        if (message is not { Key: { } key, Headers: { } headers })
        {
            return false;
        }

        if (parking.Seal.Seal.IsGenuine(key, message.Value, headers) && FailureHeaders.OriginOf(headers) is not null)
        {
            return true;
        }

        if (FailureHeaders.HasClaims(headers))
        {
            group.Metrics.RefusedRecord();
            if (!parking.HasRefused)
            {
                parking.HasRefused = true;
                ConsumingLog.StrangersRefused(logger, group.Name, partition.Id, message.Offset);
            }
        }

        return false;
    }

    private static ParkedRecord RecordOf(in ReceivedMessage message, long arrival, long due, bool isOurs)
    {
        var headers = message.Headers ?? [];
        var attempt = FailureHeaders.AttemptOf(headers, int.MaxValue);
        return isOurs && FailureHeaders.OriginOf(headers) is { } origin
            ? new ParkedRecord(
                message.Offset,
                arrival,
                origin.Offset,
                origin.Timestamp,
                attempt,
                due,
                FailureHeaders.TextOf(headers, FailureHeaders.Writer),
                FailureHeaders.NumberOf(headers, FailureHeaders.Committed),
                IsStranger: false)
            : ParkedRecord.Stranger(message.Offset, arrival, message.Timestamp, attempt, due);
    }

    /// <summary>
    /// Whether what was read a second time may be handled, or moved. Where its topic was created again another message may be there: that one is left
    /// alone, and the group begins again when that is noticed.
    /// </summary>
    public bool Admits(AssignedPartition partition, in ReceivedMessage message, in DelayedRetry retry, bool hop)
    {
        var source = partition.Subscription.Settings.Retries!;
        if (source.OwnerOf(message.Headers) is not RetryOwner.Us)
        {
            if (hop)
            {
                partition.Delayed.Moved();
            }

            return false;
        }

        var due = Math.Min(retry.Due, DueOf(source, message));
        if (hop || due <= Now)
        {
            return true;
        }

        if (partition.Parking is { } parking && parking.Has(retry.Offset))
        {
            parking.PutBack(retry.Offset, due);
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
            if (partition is { Subscription.Settings.Retries: not null, Parking: { } parking } && parking.NextDue <= Now)
            {
                reader.Want(partition, parking.TakeDue(Now, MostAtOnce), hop: false);
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
                reader.Want(partition, delayed.TakeDue(now), hop: false);
            }

            partition.Parking?.Sweep(now);
            // A hop is a copy outside of transactions; there is none where these are wanted.
            if (delayed.Count + (partition.Parking?.Waiting ?? 0) > 0
                && !partition.IsRecovering
                && partition.Subscription.Settings.ExactlyOnce is null
                && assignment.SurplusOf(partition) - delayed.Hopping is > 0 and var surplus)
            {
                var hops = delayed.TakeFirst(surplus, now);
                if (partition.Parking is { } parking)
                {
                    hops.AddRange(parking.TakeFirst(surplus, now));
                }

                if (hops.Count > 0)
                {
                    delayed.Hopping += hops.Count;
                    ConsumingLog.Hopping(logger, group.Name, hops.Count, partition.Id);
                    reader.Want(partition, hops, hop: true);
                }
            }

            waiting += delayed.Count + (partition.Parking?.Waiting ?? 0);
            next = Math.Min(next, Math.Min(delayed.NextDue, partition.Parking?.NextDue ?? long.MaxValue));
        }

        Volatile.Write(ref _waiting, waiting + reader.Wanted);
        next = Math.Min(next, reader.NextDue);
        Volatile.Write(ref _nextDue, next == long.MaxValue ? next : _clock.WallOf(next));
    }

    /// <summary>
    /// Wants what waits in front of finished messages of these partitions, which are about to be given away, to be moved: what is not due, what is due and
    /// not read, and, handed to <paramref name="move"/> at once, what is in its lane and was not begun. Of a key that is kept in order nothing is moved:
    /// which of its copies are finished is written down instead.
    /// </summary>
    /// <returns>Those of them where something is to be moved: as long as <see cref="DelayedRetries.Hopping"/> says.</returns>
    public List<AssignedPartition> WantMoves(IEnumerable<AssignedPartition> leaving, Action<Delivery> move)
    {
        var moving = new List<AssignedPartition>();
        foreach (var partition in leaving.Where(static partition => partition is { Subscription.Settings.Retries: not null, IsRecovering: false }))
        {
            bool IsParked(long offset) => partition.Parking?.Has(offset) is true;
            var delayed = partition.Delayed;
            var finished = partition.Tracker.LastFinished ?? -1;
            foreach (var unstarted in partition.Subscription.Lanes.TakeUnstarted(partition))
            {
                var isMoving = ReferenceEquals(unstarted.Departure, Departure.Hop);
                if (IsParked(unstarted.Offset))
                {
                    delayed.Hopping -= isMoving ? 1 : 0;
                    continue;
                }

                if (unstarted.Departure is null && unstarted.Offset < finished)
                {
                    unstarted.Departure = Departure.Hop;
                    isMoving = true;
                    delayed.Hopping++;
                }

                if (isMoving)
                {
                    move(unstarted);
                }
            }

            if (partition.Tracker.LastFinished is { } last)
            {
                var hops = delayed.TakeBelow(last);
                delayed.Hopping += reader.MoveInstead(partition, IsParked) + hops.Count;
                reader.Want(partition, hops, hop: true);
            }

            if (delayed.Hopping > 0)
            {
                ConsumingLog.Hopping(logger, group.Name, delayed.Hopping, partition.Id);
                moving.Add(partition);
            }
        }

        return moving;
    }

    /// <summary>
    /// Writes down how far the keys of these partitions, which are about to be given away, were handled; see <see cref="KeyParking.Leave"/>. What it
    /// returns does not fail.
    /// </summary>
    public Task WriteNotesAsync(IEnumerable<AssignedPartition> leaving)
    {
        var writing = new List<Task>();
        foreach (var partition in leaving)
        {
            if (partition is { Parking: { } parking, Subscription.Settings: { Retries: { } retries, Copies: { } copies } settings })
            {
                parking.DropRepeats().ForEach(repeat => assignment.Finish(partition, repeat));
                var source = assignment.TryFind(new TopicPartition(retries.Source, partition.Partition.Partition), out var found)
                    ? found.Tracker.Committable : null;
                writing.AddRange(parking.Leave(source).Select(
                    note => WriteAsync(copies.NoteAsync(note, retries.Source, partition.Id.Partition, settings.Group))));
            }
        }

        return Task.WhenAll(writing);

        async Task WriteAsync(Task note)
        {
            try
            {
                await note.ConfigureAwait(false);
            }
            catch (Exception error)
            {
                ConsumingLog.NotesNotWritten(logger, error, group.Name);
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
            partition.Parking?.Reset();
        }
    }

    /// <summary>Closes what it reads with.</summary>
    public void Close()
    {
        _lost.Log(isLast: true);
        reader.Close();
    }

    private void Gone(AssignedPartition partition, DelayedRetry retry, bool hop)
    {
        if (hop)
        {
            partition.Delayed.Moved();
        }

        partition.Parking?.Gone(retry.Offset);
        _lost.Add(partition.Id, retry.Offset);
        group.Metrics.LostToRetention();
        assignment.Finish(partition, retry.Arrival);
    }
}
