namespace Narad.Kafka.Consuming;

/// <summary>
/// Says when a partition is to be paused and when it may go on. Each has an equal share of the group's limits, so a slow one never starves
/// another; each pause makes the client fetch again, so what is left at the low mark is at least a third of a second of work (where the share allows).
/// It counts what the group holds; it pauses nothing by itself.
/// </summary>
/// <remarks>
/// Single-threaded: poll thread only. Shares shrink when partitions are assigned, while what the older ones hold does not: so the last tenth of the
/// limits is a reserve that is shared among all again, and at the limits themselves the whole group is full.
/// </remarks>
internal sealed class FlowControl(long messages, long bytes, int maxAhead)
{
    private const double WorthOfSeconds = 1.0 / 3;
    private const int Reserve = 10;
    private int _largest = Delivery.Overhead;
    private long _messages;     // written by the poll thread, read by any
    private long _bytes;

    /// <summary>Messages in memory: waiting, running, waiting for a repetition. Any thread.</summary>
    public long HeldMessages => Interlocked.Read(ref _messages);

    /// <summary>Their bytes. Any thread.</summary>
    public long HeldBytes => Interlocked.Read(ref _bytes);

    /// <summary>Whether nothing more fits, for no partition: another message as large as the largest one would be too much.</summary>
    public bool IsGroupFull => _messages >= messages || (_messages > 0 && _bytes + _largest > bytes);

    /// <summary>Whether a full group is empty enough to go on.</summary>
    public bool MayGroupResume => _messages <= messages - Math.Max(1, messages / (2 * Reserve)) && (_messages == 0 || _bytes + _largest <= bytes - (bytes / (2 * Reserve)));

    public void Add(AssignedPartition partition, int size)
    {
        _largest = Math.Max(_largest, size);
        partition.HeldMessages++;
        partition.HeldBytes += size;
        Interlocked.Increment(ref _messages);
        Interlocked.Add(ref _bytes, size);
    }

    public void Remove(AssignedPartition partition, int size)
    {
        partition.HeldMessages--;
        partition.HeldBytes -= size;
        Interlocked.Decrement(ref _messages);
        Interlocked.Add(ref _bytes, -size);
    }

    /// <summary>The partition is not ours any more: what it held does not count.</summary>
    public void Forget(AssignedPartition partition)
    {
        Interlocked.Add(ref _messages, -partition.HeldMessages);
        Interlocked.Add(ref _bytes, -partition.HeldBytes);
        partition.HeldMessages = 0;
        partition.HeldBytes = 0;
    }

    /// <summary>Whether the partition has its share, or the group is full. One that holds nothing is not full by itself: nothing would wake it.</summary>
    public bool IsFull(AssignedPartition partition, int assigned) =>
        IsGroupFull
        || partition.HeldMessages >= Share(messages, _messages, assigned)
        || (partition.HeldMessages > 0 && partition.HeldBytes + _largest > Share(bytes, _bytes, assigned))
        || partition.Tracker.Span >= maxAhead;

    public bool MayResume(AssignedPartition partition, int assigned)
    {
        if (IsGroupFull)
        {
            return false;
        }

        var high = Share(messages, _messages, assigned);
        var low = Math.Clamp(partition.Rate * WorthOfSeconds, high / 4.0, high * 0.75);
        var lowBytes = Share(bytes, _bytes, assigned) * (low / high);
        return partition.HeldMessages <= low
            && (partition.HeldBytes <= lowBytes || partition.HeldMessages == 0)
            && partition.Tracker.Span < Math.Max(1, maxAhead * 0.75);
    }

    private static long Share(long limit, long held, int assigned)
    {
        var shared = held > limit - (limit / Reserve) ? limit / Reserve : limit;
        return Math.Max(1, shared / Math.Max(1, assigned));
    }
}
