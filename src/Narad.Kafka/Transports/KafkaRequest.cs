namespace Narad.Kafka;

/// <summary>The requests that an <see cref="EmbeddedBroker"/> can be told to fail; the values are Kafka's API keys.</summary>
public enum KafkaRequest : short
{
    /// <summary>Writes messages.</summary>
    Produce = 0,

    /// <summary>Reads messages.</summary>
    Fetch = 1,

    /// <summary>Looks up an offset by time, or the first or last one.</summary>
    ListOffsets = 2,

    /// <summary>Asks for brokers, topics and partitions. Of an error only <c>Local_Transport</c> has an effect: the connection is closed.</summary>
    Metadata = 3,

    /// <summary>Commits a group's offsets.</summary>
    OffsetCommit = 8,

    /// <summary>Reads a group's committed offsets.</summary>
    OffsetFetch = 9,

    /// <summary>Asks for a group's or transaction's coordinator.</summary>
    FindCoordinator = 10,

    /// <summary>Joins a group (classic protocol).</summary>
    JoinGroup = 11,

    /// <summary>Keeps the membership of a group (classic protocol).</summary>
    Heartbeat = 12,

    /// <summary>Leaves a group (classic protocol).</summary>
    LeaveGroup = 13,

    /// <summary>Gets a member's assignment (classic protocol).</summary>
    SyncGroup = 14,

    /// <summary>Opens every connection.</summary>
    ApiVersions = 18,

    /// <summary>Gives an idempotent producer its id.</summary>
    InitProducerId = 22,

    /// <summary>Keeps the membership of a group and carries its assignment (KIP-848).</summary>
    ConsumerGroupHeartbeat = 68,
}
