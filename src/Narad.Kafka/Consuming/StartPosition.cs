namespace Narad.Kafka;

/// <summary>Where a group without a committed offset starts a partition.</summary>
public enum StartPosition
{
    /// <summary>At the first message that the partition still holds. The default: nothing is skipped.</summary>
    Earliest,

    /// <summary>At its end: what is there already is skipped, by choice. In a partition added later, its first messages may be skipped too.</summary>
    Latest,

    /// <summary>Not at all: the partition stops and says so.</summary>
    Stop,
}
