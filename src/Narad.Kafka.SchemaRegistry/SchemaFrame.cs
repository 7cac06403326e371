using System.Buffers.Binary;

namespace Narad.Kafka.SchemaRegistry;

/// <summary>Confluent's wire format: a zero byte, the schema's id as four bytes, big-endian, then the JSON.</summary>
internal static class SchemaFrame
{
    public const int Length = 5;

    /// <summary>Puts the id before a JSON text.</summary>
    public static byte[] Write(int id, byte[] json)
    {
        var framed = GC.AllocateUninitializedArray<byte>(Length + json.Length);
        framed[0] = 0;
        BinaryPrimitives.WriteInt32BigEndian(framed.AsSpan(1), id);
        json.CopyTo(framed, Length);
        return framed;
    }

    /// <summary>Whether bytes begin as the format does. JSON never does.</summary>
    public static bool IsFramed(ReadOnlySpan<byte> data) => data.Length >= Length && data[0] == 0;

    /// <summary>The schema's id; only where <see cref="IsFramed"/>.</summary>
    public static int IdOf(ReadOnlySpan<byte> data) => BinaryPrimitives.ReadInt32BigEndian(data[1..]);
}
