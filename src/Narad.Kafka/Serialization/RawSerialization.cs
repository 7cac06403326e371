using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;
using System.Text;

namespace Narad.Kafka.Serialization;

/// <summary>
/// What is not serialized at all: <c>byte[]</c>, <c>ReadOnlyMemory&lt;byte&gt;</c> and <c>string</c>, in both directions. Never copies bytes that
/// it can pass on; text is UTF-8, and bytes that are not UTF-8 are refused, not replaced. Thread-safe.
/// </summary>
internal static class RawSerialization
{
    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>Whether handlers of this type get the bytes, or the text that they are.</summary>
    public static bool IsRaw(Type type) =>
        type == typeof(byte[]) || type == typeof(string) || type == typeof(ReadOnlyMemory<byte>) || type == typeof(ReadOnlyMemory<byte>?);

    /// <summary>Whether a message is bytes already, so that <see cref="TryWrite{T}"/> may answer with the caller's own array.</summary>
    public static bool IsBytes<T>(T message) => message is byte[] or ReadOnlyMemory<byte>;

    /// <summary>The message, in memory of its own where it is bytes: <paramref name="bytes"/>, which is null for all others.</summary>
    public static object? Owned(object? message, out byte[]? bytes)
    {
        switch (message)
        {
            case byte[] array:
                bytes = (byte[])array.Clone();
                return bytes;
            case ReadOnlyMemory<byte> memory:
                bytes = memory.ToArray();
                return new ReadOnlyMemory<byte>(bytes);
            default:
                bytes = null;
                return message;
        }
    }

    /// <summary>The message's bytes, where it is a raw one; possibly the caller's own array (<see cref="IsBytes{T}"/>).</summary>
    /// <exception cref="EncoderFallbackException">The text has half a surrogate pair: it has no UTF-8 form.</exception>
    public static bool TryWrite<T>(T message, [NotNullWhen(true)] out byte[]? bytes)
    {
        bytes = message switch
        {
            byte[] array => array,
            string text => StrictUtf8.GetBytes(text),
            ReadOnlyMemory<byte> memory => Array(memory),
            _ => null,
        };
        return bytes is not null;
    }

    /// <summary>The message from its bytes; only where <see cref="IsRaw"/>.</summary>
    /// <exception cref="DecoderFallbackException">Text was asked for, and the bytes are not UTF-8.</exception>
    public static T Read<T>(ReadOnlyMemory<byte> data)
    {
        if (typeof(T) == typeof(string))
        {
            return (T)(object)StrictUtf8.GetString(data.Span);
        }

        return typeof(T) == typeof(byte[]) ? (T)(object)Array(data) : (T)(object)data;
    }

    private static byte[] Array(ReadOnlyMemory<byte> data) =>
        MemoryMarshal.TryGetArray(data, out var segment) && segment.Offset == 0 && segment.Array is { } array && array.Length == segment.Count
            ? array
            : data.ToArray();
}
