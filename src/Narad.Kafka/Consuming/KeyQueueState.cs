namespace Narad.Kafka.Consuming;

/// <summary>Where a key queue stands; see <see cref="KeyQueueScheduler"/>.</summary>
internal enum KeyQueueState
{
    /// <summary>Empty, or about to be made ready.</summary>
    Idle,

    /// <summary>In the queue of key queues that a worker may take.</summary>
    Ready,

    /// <summary>A worker runs its first message or messages.</summary>
    Running,

    /// <summary>Its first message waits for a retry, or its batch to fill.</summary>
    Waiting,

    /// <summary>The partition of its first message is stopped or draining.</summary>
    Suspended,
}
