namespace Orders.Participants;

/// <summary>How a participant misbehaves, to watch retries, dead letters and compensation. The newest one of each participant is in the compacted topic
/// <c>orders.behaviour</c>.</summary>
public sealed record ParticipantBehaviour
{
    public static readonly TimeSpan MaxDelay = TimeSpan.FromSeconds(10);

    /// <summary>Whose; the key of the message: <c>payment</c>, <c>stock</c> or <c>shipping</c>.</summary>
    public required string Participant { get; init; }

    /// <summary>How many of its handlers throw: 0 to 1. They are retried; in the end they are dead letters.</summary>
    public double FailureRate { get; init; }

    /// <summary>How many orders it refuses: 0 to 1.</summary>
    public double RejectRate { get; init; }

    /// <summary>How long each answer takes: 0 to 10 s.</summary>
    public TimeSpan Delay { get; init; }
}
