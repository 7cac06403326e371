namespace Narad.Kafka.Consuming;

/// <summary>How far one assigned partition was when it was last looked at, and since when it is there. Not thread-safe; used only by the poll thread.</summary>
internal sealed class PartitionProgress
{
    private long? _next;
    private long? _committable;

    /// <summary>Since when nothing arrived and nothing was finished, as a timestamp.</summary>
    public long Since { get; private set; }

    /// <summary>Begins anew where something arrived or was finished.</summary>
    public void Note(AssignedPartition partition, long now)
    {
        if (Since == 0 || partition.FinishedSinceTick > 0 || partition.Tracker.Next != _next || partition.Tracker.Committable != _committable)
        {
            Restart(now);
        }

        _next = partition.Tracker.Next;
        _committable = partition.Tracker.Committable;
    }

    /// <summary>There is nothing to be done, or the application keeps it from being done.</summary>
    public void Restart(long now) => Since = now;
}
