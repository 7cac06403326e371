using System.Buffers;
using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;
using System.Text;

namespace Narad.Kafka.Serialization;

/// <summary>
/// What is not serialized at all, in both directions: <c>string</c>, and bytes as <c>byte[]</c>, <c>ReadOnlyMemory&lt;byte&gt;</c>, <c>Memory&lt;byte&gt;</c>,
/// <c>ArraySegment&lt;byte&gt;</c>, <c>ReadOnlySequence&lt;byte&gt;</c> or <c>ImmutableArray&lt;byte&gt;</c>. Never copies bytes that it can pass on; text is
/// UTF-8, and bytes that are
/// not UTF-8 are refused, not replaced. Thread-safe.
/// </summary>
internal static class RawSerialization
{
    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>Whether handlers of this type get the bytes, or the text that they are.</summary>
    public static bool IsRaw<T>() => Kind<T>.IsRaw;

    /// <inheritdoc cref="IsRaw{T}"/>
    public static bool IsRaw(Type type) =>
        (Nullable.GetUnderlyingType(type) ?? type) is var own && (own == typeof(byte[]) || own == typeof(string) || own == typeof(ReadOnlyMemory<byte>)
            || own == typeof(Memory<byte>) || own == typeof(ArraySegment<byte>) || own == typeof(ReadOnlySequence<byte>)
            || own == typeof(ImmutableArray<byte>));

    /// <summary>Whether a message is bytes already, so that <see cref="TryWrite{T}"/> may answer with the caller's own array.</summary>
    public static bool IsBytes<T>(T message) =>
        message is byte[] or ReadOnlyMemory<byte> or Memory<byte> or ArraySegment<byte> or ReadOnlySequence<byte> or ImmutableArray<byte>;

    /// <summary>The message, in memory of its own where it is bytes: <paramref name="bytes"/>, which is null for all others.</summary>
    public static object? Owned(object? message, out byte[]? bytes)
    {
        if (!IsBytes(message) || !TryWrite(message, out var written))
        {
            bytes = null;
            return message;
        }

        bytes = (byte[])written.Clone();
        return message switch
        {
            ReadOnlyMemory<byte> => new ReadOnlyMemory<byte>(bytes),
            Memory<byte> => new Memory<byte>(bytes),
            ArraySegment<byte> => new ArraySegment<byte>(bytes),
            ReadOnlySequence<byte> => new ReadOnlySequence<byte>(bytes),
            ImmutableArray<byte> => ImmutableCollectionsMarshal.AsImmutableArray(bytes),
            _ => bytes,
        };
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
            Memory<byte> memory => Array(memory),
            ArraySegment<byte> segment => Array(segment.AsMemory()),
            ReadOnlySequence<byte> sequence => sequence.IsSingleSegment ? Array(sequence.First) : sequence.ToArray(),
            ImmutableArray<byte> array => array.IsDefault ? [] : ImmutableCollectionsMarshal.AsArray(array)!,
            _ => null,
        };
        return bytes is not null;
    }

    /// <summary>The message from its bytes; only where <see cref="IsRaw{T}"/>. What can be written to is a copy of its own.</summary>
    /// <exception cref="DecoderFallbackException">Text was asked for, and the bytes are not UTF-8.</exception>
    public static T Read<T>(ReadOnlyMemory<byte> data)
    {
        if (typeof(T) == typeof(string))
        {
            return (T)(object)StrictUtf8.GetString(data.Span);
        }

        if (typeof(T) == typeof(byte[]))
        {
            return (T)(object)data.ToArray();
        }

        if (typeof(T) == typeof(ReadOnlyMemory<byte>))
        {
            return (T)(object)data;
        }

        var type = Kind<T>.Underlying;
        return (T)(type == typeof(Memory<byte>) ? new Memory<byte>(data.ToArray())
            : type == typeof(ArraySegment<byte>) ? new ArraySegment<byte>(data.ToArray())
            : type == typeof(ReadOnlySequence<byte>) ? new ReadOnlySequence<byte>(data)
            : type == typeof(ImmutableArray<byte>) ? ImmutableCollectionsMarshal.AsImmutableArray(Array(data))
            : (object)data);
    }

    private static byte[] Array(ReadOnlyMemory<byte> data) =>
        MemoryMarshal.TryGetArray(data, out var segment) && segment.Offset == 0 && segment.Array is { } array && array.Length == segment.Count
            ? array
            : data.ToArray();

    // Asked for once a message: what costs something is found out once a type.
    private static class Kind<T>
    {
        public static readonly Type Underlying = Nullable.GetUnderlyingType(typeof(T)) ?? typeof(T);

        public static readonly bool IsRaw = IsRaw(typeof(T));
    }
}
