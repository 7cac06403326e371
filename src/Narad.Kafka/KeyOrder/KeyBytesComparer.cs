using System.Diagnostics.CodeAnalysis;

namespace Narad.Kafka.KeyOrder;

/// <summary>Compares keys by their bytes. Thread-safe.</summary>
internal sealed class KeyBytesComparer : IEqualityComparer<byte[]>
{
    public static readonly KeyBytesComparer Instance = new();

    public bool Equals(byte[]? x, byte[]? y) => x.AsSpan().SequenceEqual(y);

    public int GetHashCode([DisallowNull] byte[] obj)
    {
        var hash = default(HashCode);
        hash.AddBytes(obj);
        return hash.ToHashCode();
    }
}
