namespace Narad.Kafka.Consuming;

/// <summary>
/// Which messages share a key queue: a 64-bit FNV-1a hash of topic, partition and key. Two keys with one hash merely wait for each other.
/// </summary>
internal static class KeyQueueHash
{
    private const ulong Offset = 14695981039346656037;
    private const ulong Prime = 1099511628211;

    public static ulong Seed(string topic, int partition)
    {
        var hash = Offset;
        foreach (var character in topic)
        {
            hash = (hash ^ character) * Prime;
        }

        return (hash ^ (uint)partition) * Prime;
    }

    public static ulong Of(ulong seed, ReadOnlySpan<byte> key)
    {
        var hash = (seed ^ 0xFF) * Prime;
        foreach (var value in key)
        {
            hash = (hash ^ value) * Prime;
        }

        return hash;
    }
}
