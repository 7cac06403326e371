using System.Globalization;
using System.Text;

namespace Narad.Kafka.Outbox;

/// <summary>
/// Which messages keep their order: a 64-bit FNV-1a hash, and the bucket that it chooses. Never changed: rows in stores have these values, and messages of one
/// key must not be in two buckets.
/// </summary>
internal static class OutboxKeyHash
{
    private const ulong Offset = 14695981039346656037;
    private const ulong Prime = 1099511628211;

    /// <summary>Of the topic with the key; without one, with the partition; without that, of the message's id.</summary>
    public static long Of(string topic, byte[]? key, int? partition, string id) => (key, partition) switch
    {
        ({ } bytes, _) => Of("k", topic, bytes),
        (_, { } number) => Of("p", topic, Encoding.UTF8.GetBytes(number.ToString(CultureInfo.InvariantCulture))),
        _ => Of("i", topic, Encoding.UTF8.GetBytes(id)),
    };

    // The low bits of FNV-1a alone are spread less well.
    public static int BucketOf(long hash) => (int)(((ulong)hash ^ ((ulong)hash >> 32)) % OutboxMessage.BucketCount);

    private static long Of(string kind, string topic, ReadOnlySpan<byte> rest)
    {
        // No topic's name has a line feed.
        var hash = Add(Add(Offset, Encoding.UTF8.GetBytes($"{kind}\n{topic}\n")), rest);
        return unchecked((long)hash);
    }

    private static ulong Add(ulong hash, ReadOnlySpan<byte> bytes)
    {
        foreach (var value in bytes)
        {
            hash = unchecked((hash ^ value) * Prime);
        }

        return hash;
    }
}
