namespace Narad.Kafka.Consuming;

/// <summary>Where a lane stands; see <see cref="LaneScheduler"/>.</summary>
internal enum LaneState
{
    /// <summary>Empty, or about to be made ready.</summary>
    Idle,

    /// <summary>In the queue of lanes that a worker may take.</summary>
    Ready,

    /// <summary>A worker runs its first message or messages.</summary>
    Running,

    /// <summary>Its first message waits for a repetition, or its batch to fill.</summary>
    Waiting,

    /// <summary>The partition of its first message is stopped or draining.</summary>
    Held,
}
