namespace Narad.Kafka;

/// <summary>Where a group without a committed offset starts a partition.</summary>
public enum StartPosition
{
    /// <summary>At the first message that the partition still holds. The default: nothing is skipped.</summary>
    Earliest,

    /// <summary>
    /// At its end: what is there already is skipped, by choice. <c>SubscribeAsync</c> completes when the end of each partition that this member was
    /// assigned is known, so that what is sent afterwards is received; a member without a partition completes after 15 s. In a partition added later, its
    /// first messages may be skipped.
    /// </summary>
    Latest,

    /// <summary>Not at all: the partition stops and says so.</summary>
    Stop,
}
