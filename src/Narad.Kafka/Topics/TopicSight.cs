namespace Narad.Kafka.Topics;

/// <summary>What can be seen of a topic that exists.</summary>
/// <param name="Id">Its id, which another topic of the same name does not have; null where it is not known.</param>
/// <param name="Partitions">How many it has.</param>
/// <param name="IsRefused">Whether the user may not look at it: then nothing else is known.</param>
internal sealed record TopicSight(string? Id, int Partitions, bool IsRefused = false)
{
    /// <summary>The user may not look at it.</summary>
    public static TopicSight Refused { get; } = new(Id: null, Partitions: 0, IsRefused: true);
}
