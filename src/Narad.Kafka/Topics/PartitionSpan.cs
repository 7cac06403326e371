using System.Runtime.InteropServices;

namespace Narad.Kafka.Topics;

/// <summary>
/// What a partition holds: offsets from <paramref name="Start"/> up to <paramref name="End"/>, which it does not include. Not each of them needs to have a
/// message.
/// </summary>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct PartitionSpan(int Partition, long Start, long End)
{
    public long Length => Math.Max(0, End - Start);
}
