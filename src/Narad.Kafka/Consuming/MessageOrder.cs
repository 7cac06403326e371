namespace Narad.Kafka;

/// <summary>What handlers keep in order, within one process.</summary>
public enum MessageOrder
{
    /// <summary>Messages of one topic-partition and key never overlap and never invert; those without a key are unordered. The default.</summary>
    ByKey,

    /// <summary>Messages of one partition never overlap and never invert.</summary>
    ByPartition,

    /// <summary>No order.</summary>
    Unordered,
}
