namespace Narad.Kafka.Consuming;

/// <summary>
/// Says when a partition is to be paused and when it may go on. Each has an equal share of the group's limits, so a slow one never starves
/// another; each pause makes the client fetch again, so what is left at the low mark is at least a third of a second of work (where the share allows).
/// It remembers only the largest message; it pauses nothing by itself.
/// </summary>
/// <remarks>Single-threaded: poll thread only.</remarks>
internal sealed class FlowControl(int messages, long bytes, int maxAhead)
{
    private const double WorthOfSeconds = 1.0 / 3;
    private int _largest = Delivery.Overhead;

    /// <summary>Notes a message's size: a partition pauses while another message as large as the largest one still fits.</summary>
    public void Saw(int size) => _largest = Math.Max(_largest, size);

    public bool IsFull(AssignedPartition partition, int assigned) =>
        partition.HeldMessages >= Share(messages, assigned)
        || partition.HeldBytes + _largest > Share(bytes, assigned)
        || partition.Tracker.Span >= maxAhead;

    public bool MayResume(AssignedPartition partition, int assigned)
    {
        var high = Share(messages, assigned);
        var low = Math.Clamp(partition.Rate * WorthOfSeconds, high / 4.0, high * 0.75);
        var lowBytes = Share(bytes, assigned) * (low / high);
        return partition.HeldMessages <= low
            && (partition.HeldBytes <= lowBytes || partition.HeldMessages == 0)
            && partition.Tracker.Span < Math.Max(1, maxAhead * 0.75);
    }

    private static long Share(long limit, int assigned) => Math.Max(1, limit / Math.Max(1, assigned));
}
