namespace Narad.Kafka.Tests.Transports;

/// <summary>How <see cref="FakeBroker"/> answers requests for metadata.</summary>
public enum MetadataAnswer
{
    /// <summary>One broker, itself, and each topic that was asked for, with one partition.</summary>
    Good,

    /// <summary>Neither brokers nor topics.</summary>
    Nothing,

    /// <summary>No brokers; each topic, without a leader.</summary>
    NoBrokers,

    /// <summary>A broker, and no controller.</summary>
    NoController,

    /// <summary>A broker, and none of the topics.</summary>
    NoTopics,

    /// <summary>A broker, and an error for each topic.</summary>
    TopicErrors,

    /// <summary>Topics that were not asked for.</summary>
    OtherTopics,

    /// <summary>Topics without partitions.</summary>
    NoPartitions,

    /// <summary>An error for the whole answer, and nothing else: REBOOTSTRAP_REQUIRED.</summary>
    Rebootstrap,

    /// <summary>An error for the whole answer, beside brokers and topics: UNKNOWN_SERVER_ERROR.</summary>
    TopLevelError,

    /// <summary>An answer that ends in the middle.</summary>
    Truncated,

    /// <summary>Bytes that mean nothing.</summary>
    Garbage,

    /// <summary>A length of 2 GiB.</summary>
    Endless,

    /// <summary>The connection is closed.</summary>
    Closed,

    /// <summary>No answer until this ends; then each request that waits is answered with neither brokers nor topics.</summary>
    Hanging,
}
