namespace Narad.Kafka;

/// <summary>What happens when the group's committed offset is not in the partition any more (retention overtook the group, or the topic was created again).</summary>
public enum OutOfRangePolicy
{
    /// <summary>The partition stops and says so. The default: nothing is skipped silently.</summary>
    Stop,

    /// <summary>Goes on at the first message that is left; what retention deleted is skipped. Counted and logged.</summary>
    ResetToEarliest,

    /// <summary>Goes on at the end; everything in between is skipped. Counted and logged.</summary>
    ResetToLatest,
}
