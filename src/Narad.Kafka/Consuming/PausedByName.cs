namespace Narad.Kafka.Consuming;

/// <summary>What of a subscription was paused by name, whoever has its partitions meanwhile. Single-threaded: poll thread only.</summary>
internal sealed class PausedByName
{
    private readonly HashSet<TopicPartitionId> _partitions = [];
    private bool _all;

    public bool Includes(TopicPartitionId partition) => _all || _partitions.Contains(partition);

    public void AddAll() => _all = true;

    public void Add(TopicPartitionId partition) => _partitions.Add(partition);

    public void Clear()
    {
        _all = false;
        _partitions.Clear();
    }

    public bool Remove(TopicPartitionId partition) => _partitions.Remove(partition) && !_all;
}
