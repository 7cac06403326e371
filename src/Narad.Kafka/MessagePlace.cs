using System.Globalization;

namespace Narad.Kafka;

/// <summary>Where a message is.</summary>
/// <param name="Topic">The topic's real name.</param>
/// <param name="Partition">The partition.</param>
/// <param name="Offset">The offset.</param>
/// <param name="Timestamp">The message's time, UTC, millisecond precision.</param>
public sealed record MessagePlace(string Topic, int Partition, long Offset, DateTimeOffset Timestamp)
{
    /// <summary>As <c>orders[3]@7</c>.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Topic}[{Partition}]@{Offset}");
}
