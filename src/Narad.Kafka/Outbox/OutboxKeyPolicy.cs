namespace Narad.Kafka;

/// <summary>What later messages of a key do when a message of the key was set aside.</summary>
public enum OutboxKeyPolicy
{
    /// <summary>They wait until it is retried or discarded: the order of the key is kept.</summary>
    Wait,

    /// <summary>They are sent; a retried message comes after them.</summary>
    Continue,
}
