namespace Narad.Kafka.Transports;

/// <summary>A partition's messages below an offset were deleted.</summary>
internal sealed class RecordsDeletedEventArgs(string topic, int partition, long before) : EventArgs
{
    public string Topic { get; } = topic;

    public int Partition { get; } = partition;

    public long Before { get; } = before;
}
