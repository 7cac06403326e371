namespace Narad.Kafka;

/// <summary>The values of <c>compression.type</c>.</summary>
public enum KafkaCompression
{
    /// <summary>No compression. The default.</summary>
    None,

    /// <summary><c>gzip</c>.</summary>
    Gzip,

    /// <summary><c>snappy</c>.</summary>
    Snappy,

    /// <summary><c>lz4</c>.</summary>
    Lz4,

    /// <summary><c>zstd</c>.</summary>
    Zstd,
}
