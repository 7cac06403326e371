using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;

namespace Narad.Kafka.KeyOrder;

/// <summary>
/// Signs the records that members of a group write into the retry partition of one source partition, so that the next member believes those and no others.
/// The secret is kept in the metadata of the group's committed offset of the source partition: only the group's members write there, and every tool that
/// resets or deletes offsets erases it. Immutable, thread-safe.
/// </summary>
/// <remarks>
/// The metadata names the offset that it was committed with. So a record of it beside another offset, by a tool or by replication between clusters, is not
/// taken for the group's own.
/// </remarks>
internal sealed class RetrySeal
{
    /// <summary>The header with the signature; always the last one.</summary>
    public const string Header = "narad-signature";

    private const string Version = "narad1";
    private const int SecretSize = 16;

    private readonly byte[] _secret;

    private RetrySeal(byte[] secret) => _secret = secret;

    /// <summary>Creates one with a new secret.</summary>
    public static RetrySeal New() => new(RandomNumberGenerator.GetBytes(SecretSize));

    /// <summary>The one that a committed offset's metadata holds; null where it holds none, or one of another offset.</summary>
    public static RetrySeal? Of(string? metadata, long offset)
    {
        if (metadata?.Split(';') is not [Version, var committed, var secret, ..] || !string.Equals(committed, Text(offset), StringComparison.Ordinal))
        {
            return null;
        }

        var bytes = new byte[SecretSize];
        return Convert.TryFromBase64String(secret, bytes, out var count) && count == SecretSize ? new RetrySeal(bytes) : null;
    }

    /// <summary>The metadata to commit an offset with.</summary>
    public string MetadataFor(long offset) => $"{Version};{Text(offset)};{Convert.ToBase64String(_secret)}";

    /// <summary>Adds the signature of a record to its headers.</summary>
    public MessageHeaders Sign(byte[]? key, byte[]? value, MessageHeaders headers) => headers.Add(Header, SignatureOf(key, value, headers, headers.Count));

    /// <summary>Whether a record was written by a member of this group, as it is.</summary>
    public bool IsGenuine(byte[]? key, byte[]? value, MessageHeaders headers)
    {
        var last = headers.Count - 1;
        return last >= 0
            && string.Equals(headers[last].Name, Header, StringComparison.Ordinal)
            && headers[last].Value is { } signature
            && CryptographicOperations.FixedTimeEquals(signature, SignatureOf(key, value, headers, last));
    }

    // Everything with its length in front, so that no two records have the same bytes.
    private byte[] SignatureOf(byte[]? key, byte[]? value, MessageHeaders headers, int count)
    {
        using var hash = IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, _secret);
        Append(hash, key);
        Append(hash, value);
        for (var i = 0; i < count; i++)
        {
            Append(hash, System.Text.Encoding.UTF8.GetBytes(headers[i].Name));
            Append(hash, headers[i].Value);
        }

        return hash.GetHashAndReset();
    }

    private static void Append(IncrementalHash hash, byte[]? part)
    {
        Span<byte> length = stackalloc byte[sizeof(int)];
        BinaryPrimitives.WriteInt32LittleEndian(length, part?.Length ?? -1);
        hash.AppendData(length);
        hash.AppendData(part ?? []);
    }

    private static string Text(long offset) => offset.ToString(CultureInfo.InvariantCulture);
}
