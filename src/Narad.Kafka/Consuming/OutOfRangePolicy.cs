namespace Narad.Kafka;

/// <summary>
/// What happens when the group's committed offset is not in the partition any more (retention overtook the group, the topic was created again, or an
/// unclean leader election truncated its log).
/// </summary>
public enum OutOfRangePolicy
{
    /// <summary>The partition stops and says so. The default: nothing is skipped silently.</summary>
    Stop,

    /// <summary>
    /// Continues at the first message that is left; what was deleted is skipped, and after a truncation what is left is handled again. Counted, logged,
    /// and committed at once.
    /// </summary>
    ResetToEarliest,

    /// <summary>Continues at the end; everything in between is skipped. Counted, logged, and committed at once.</summary>
    ResetToLatest,
}
