namespace Narad.Kafka.Consuming;

/// <summary>What may happen in an assigned partition; see <see cref="AssignedPartition"/> for the transitions.</summary>
internal enum PartitionState
{
    /// <summary>Messages are started as they come.</summary>
    Active,

    /// <summary>A message failed and no policy covers it: nothing starts until it is resumed or skipped.</summary>
    Stopped,

    /// <summary>Being revoked or shut down: nothing starts, what runs may finish and counts.</summary>
    Draining,

    /// <summary>Not ours any more: what has not started is dropped, what finishes changes nothing.</summary>
    Gone,
}
