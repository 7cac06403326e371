using System.Buffers.Binary;
using System.Text;
using System.Text.Json.Serialization;

namespace Narad.Kafka;

/// <summary>
/// A message's key: none, text (UTF-8), an <see cref="int"/> or <see cref="long"/> (big-endian, as the Java client writes them), or raw bytes.
/// Converts implicitly from those. An empty key is a key; the default value is none.
/// </summary>
[JsonConverter(typeof(KafkaJsonConverter))]
public readonly struct MessageKey : IEquatable<MessageKey>
{
    private const int ShownCharacters = 256;
    private const int ShownBytes = 64;

    private readonly object? _value;   // null, string or byte[]

    private MessageKey(object? value) => _value = value;

    /// <summary>No key.</summary>
    public static MessageKey None => default;

    /// <summary>Whether there is no key.</summary>
    public bool IsNone => _value is null;

    /// <summary>A key from text; null is no key.</summary>
    public static MessageKey From(string? text) => new(text);

    /// <summary>A key of four bytes, big-endian.</summary>
    public static MessageKey From(int number)
    {
        var bytes = new byte[sizeof(int)];
        BinaryPrimitives.WriteInt32BigEndian(bytes, number);
        return new(bytes);
    }

    /// <summary>A key of eight bytes, big-endian.</summary>
    public static MessageKey From(long number)
    {
        var bytes = new byte[sizeof(long)];
        BinaryPrimitives.WriteInt64BigEndian(bytes, number);
        return new(bytes);
    }

    /// <summary>A key of raw bytes; null is no key. A send copies them where it keeps them beyond the call, so the array may be used again after it.</summary>
    public static MessageKey From(byte[]? bytes) => new(bytes);

    /// <summary>See <see cref="From(string?)"/>.</summary>
    public static implicit operator MessageKey(string? text) => From(text);

    /// <summary>See <see cref="From(int)"/>.</summary>
    public static implicit operator MessageKey(int number) => From(number);

    /// <summary>See <see cref="From(long)"/>.</summary>
    public static implicit operator MessageKey(long number) => From(number);

    /// <summary>See <see cref="From(byte[])"/>.</summary>
    public static implicit operator MessageKey(byte[]? bytes) => From(bytes);

    /// <summary>Two keys are equal when their bytes are.</summary>
    public static bool operator ==(MessageKey left, MessageKey right) => left.Equals(right);

    /// <summary>Two keys differ when their bytes do.</summary>
    public static bool operator !=(MessageKey left, MessageKey right) => !left.Equals(right);

    /// <summary>Whether the key is an array that somebody else may hold too.</summary>
    internal bool IsBytes => _value is byte[];

    /// <summary>The key as it is on the wire, without a copy of raw bytes: not to be changed, and not to be handed out.</summary>
    internal byte[]? WireBytes => _value switch
    {
        null => null,
        string text => Encoding.UTF8.GetBytes(text),
        _ => (byte[])_value,
    };

    /// <summary>The key as it is on the wire, in an array of its own; null for none.</summary>
    public byte[]? ToBytes() => _value is byte[] bytes ? (byte[])bytes.Clone() : WireBytes;

    /// <summary>The same key, which nobody else can change.</summary>
    internal MessageKey Owned() => _value is byte[] bytes ? new((byte[])bytes.Clone()) : this;

    /// <summary>The key as UTF-8 text, with U+FFFD for bytes that are none; null for no key.</summary>
    public string? AsText() => _value switch
    {
        null => null,
        string text => text,
        _ => Encoding.UTF8.GetString((byte[])_value),
    };

    /// <summary>The key as a big-endian <see cref="int"/>.</summary>
    /// <exception cref="FormatException">The key is not four bytes long.</exception>
    public int AsInt32() => WireBytes is { Length: sizeof(int) } bytes
        ? BinaryPrimitives.ReadInt32BigEndian(bytes)
        : throw new FormatException("The key is not an int: it is not 4 bytes long.");

    /// <summary>The key as a big-endian <see cref="long"/>.</summary>
    /// <exception cref="FormatException">The key is not eight bytes long.</exception>
    public long AsInt64() => WireBytes is { Length: sizeof(long) } bytes
        ? BinaryPrimitives.ReadInt64BigEndian(bytes)
        : throw new FormatException("The key is not a long: it is not 8 bytes long.");

    /// <inheritdoc/>
    public bool Equals(MessageKey other)
    {
        if (_value is null || other._value is null)
        {
            return _value is null && other._value is null;
        }

        return _value is string left && other._value is string right
            ? string.Equals(left, right, StringComparison.Ordinal)
            : WireBytes.AsSpan().SequenceEqual(other.WireBytes);
    }

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is MessageKey other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        if (_value is null)
        {
            return 0;
        }

        var hash = new HashCode();
        hash.AddBytes(WireBytes);
        return hash.ToHashCode();
    }

    /// <summary>
    /// The key for people: text where it is printable text (at most 256 characters of it), else hexadecimal (at most 64 bytes of it), "(empty)", or
    /// "(none)" without a key.
    /// </summary>
    public override string ToString()
    {
        if (_value is null)
        {
            return "(none)";
        }

        if (_value is string { Length: 0 } or byte[] { Length: 0 })
        {
            return "(empty)";
        }

        // Four bytes are the most that a character of it takes; what was cut in its middle is not printed.
        var bytes = _value as byte[];
        var text = _value as string ?? Encoding.UTF8.GetString(bytes.AsSpan(0, Math.Min(bytes!.Length, ShownCharacters * 4)));
        var whole = text.Length <= ShownCharacters;
        var shown = whole ? text : text[..ShownCharacters];
        if (shown.All(c => c is not '\uFFFD' && !char.IsControl(c)))
        {
            return whole ? shown : $"{shown}…";
        }

        bytes ??= WireBytes!;
        return $"0x{Convert.ToHexString(bytes.AsSpan(0, Math.Min(bytes.Length, ShownBytes)))}{(bytes.Length > ShownBytes ? "…" : "")}";
    }
}
