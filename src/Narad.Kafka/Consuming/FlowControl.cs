namespace Narad.Kafka.Consuming;

/// <summary>
/// Says when a partition is to be paused and when it may continue. Each has an equal share of the group's limits (or a twentieth of them, while half is
/// free), so a slow one never starves another; each pause makes the client fetch again, so what is left at the low mark is at least a third of a second of
/// work (where the share allows), and one that is only behind the poll thread by a little is waited for instead. It counts what the group holds; it pauses
/// nothing by itself.
/// </summary>
/// <remarks>
/// Single-threaded: poll thread only. Shares shrink when partitions are assigned, while what the older ones hold does not: so the last tenth of the
/// limits is a reserve that is shared among all again, and at the limits themselves the whole group is full.
/// </remarks>
internal sealed class FlowControl(long messages, long bytes, int maxAhead)
{
    private const double WorthOfSeconds = 1.0 / 3;
    private const int Reserve = 10;
    private const int Burst = 20;

    // A pause costs tens of milliseconds and what was prefetched, so where handlers are quick it is cheaper to wait for them: a millisecond for each
    // hundred messages that the partition finished. One that is slower is paused, for the others' messages may be waiting behind its own.
    private const int FinishedForOneWait = 100;
    private const int MostSpinBudget = 20 * FinishedForOneWait;

    private int _largest = Delivery.Overhead;
    private long _messages;     // written by the poll thread, read by any
    private long _bytes;

    /// <summary>Messages in memory: waiting, running, waiting for a retry. Any thread.</summary>
    public long BufferedMessages => Volatile.Read(ref _messages);

    /// <summary>Their bytes. Any thread.</summary>
    public long BufferedBytes => Volatile.Read(ref _bytes);

    /// <summary>Whether nothing more fits, for no partition: another message as large as the largest one would be too much.</summary>
    public bool IsGroupFull => _messages >= messages || (_messages > 0 && _bytes + _largest > bytes);

    /// <summary>Whether a full group is empty enough to continue.</summary>
    public bool MayGroupResume => _messages <= messages - Math.Max(1, messages / (2 * Reserve))
        && (_messages == 0 || _bytes + _largest <= bytes - (bytes / (2 * Reserve)));

    public void Add(AssignedPartition partition, int size)
    {
        _largest = Math.Max(_largest, size);
        partition.BufferedMessages++;
        partition.BufferedBytes += size;
        Count(1, size);
    }

    public void Remove(AssignedPartition partition, int size)
    {
        partition.BufferedMessages--;
        partition.BufferedBytes -= size;
        partition.SpinBudget = Math.Min(partition.SpinBudget + 1, MostSpinBudget);
        Count(-1, -size);
    }

    /// <summary>The partition is not ours any more: what it held does not count.</summary>
    public void Forget(AssignedPartition partition)
    {
        Count(-partition.BufferedMessages, -partition.BufferedBytes);
        partition.BufferedMessages = 0;
        partition.BufferedBytes = 0;
    }

    /// <summary>Whether the partition has its share, or the group is full. One that holds nothing is not full by itself: nothing would wake it.</summary>
    public bool IsFull(AssignedPartition partition, int assigned) =>
        !HasRoomFor(partition, assigned) || (partition.Tracker.Span >= maxAhead && !partition.IsRecovering);

    /// <summary>Whether another message fits into memory, however far the partition is ahead of what is finished.</summary>
    public bool HasRoomFor(AssignedPartition partition, int assigned) =>
        !IsGroupFull
        && partition.BufferedMessages < Share(messages, _messages, assigned)
        && (partition.BufferedMessages == 0 || partition.BufferedBytes + _largest <= Share(bytes, _bytes, assigned));

    /// <summary>How many messages must be finished before a partition that is as far ahead as it may be continues; 0 for one that is not.</summary>
    public int SurplusOf(AssignedPartition partition)
    {
        // Where keys are blocked, what waits may wait for what is not read yet: one that is paused continues making room until it is read again.
        var low = (int)Math.Max(1, maxAhead * 0.75);
        var limit = partition is { BlockedKeys: not null, Paused: true } ? low : maxAhead;
        return partition.Tracker.Span >= limit ? partition.Tracker.Span - low + 1 : 0;
    }

    /// <summary>Whether a full partition is worth a millisecond's wait for its handlers, instead of a pause; uses up some of its spin budget.</summary>
    public bool MayWait(AssignedPartition partition)
    {
        if (partition.SpinBudget < FinishedForOneWait || partition.Tracker.Span >= maxAhead)
        {
            return false;
        }

        partition.SpinBudget -= FinishedForOneWait;
        return true;
    }

    /// <summary>Whether the handlers made room for some more in a partition that was full: so much that it is not full again at once.</summary>
    public bool HasRoom(AssignedPartition partition, int assigned)
    {
        var high = Share(messages, _messages, assigned);
        return !IsFull(partition, assigned) && MayGroupResume && IsBelow(partition, assigned, high - Math.Max(1, high / 8.0), high);
    }

    public bool MayResume(AssignedPartition partition, int assigned)
    {
        if (IsGroupFull)
        {
            return false;
        }

        var high = Share(messages, _messages, assigned);
        return IsBelow(partition, assigned, Math.Clamp(partition.Rate * WorthOfSeconds, high / 4.0, high * 0.75), high)
            && partition.Tracker.Span < Math.Max(1, maxAhead * 0.75);
    }

    // One thread writes, so nothing is interlocked.
    private void Count(int addedMessages, long addedBytes)
    {
        Volatile.Write(ref _messages, _messages + addedMessages);
        Volatile.Write(ref _bytes, _bytes + addedBytes);
    }

    // In messages and, by as much of its share, in bytes.
    private bool IsBelow(AssignedPartition partition, int assigned, double low, long high) =>
        partition.BufferedMessages <= low && (partition.BufferedBytes <= Share(bytes, _bytes, assigned) * (low / high) || partition.BufferedMessages == 0);

    // In the reserve nobody takes more than half of what is left, so that something is left for whoever comes next. Of many partitions each may have a
    // twentieth while half of all is free: a fetch brings one partition's messages after the other's.
    private static long Share(long limit, long held, int assigned)
    {
        var reserve = limit / Reserve;
        var left = limit - held;
        var equal = limit / Math.Max(1, assigned);
        var share = left > limit / 2 ? Math.Max(equal, limit / Burst) : left > reserve ? equal : Math.Min(reserve / Math.Max(1, assigned), left / 2);
        return Math.Max(1, share);
    }
}
