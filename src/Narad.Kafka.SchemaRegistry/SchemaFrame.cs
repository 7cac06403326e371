using System.Globalization;
using Confluent.SchemaRegistry;

namespace Narad.Kafka.SchemaRegistry;

/// <summary>Confluent's wire format: a zero byte, the schema's id as four bytes, big-endian, then the JSON.</summary>
internal static class SchemaFrame
{
    public const int Length = 5;

    // A byte that says it is a GUID, and the GUID.
    private const int LengthInHeader = 17;

    /// <summary>Puts the id before a JSON text.</summary>
    public static byte[] Write(int id, byte[] json)
    {
        var framed = GC.AllocateUninitializedArray<byte>(Length + json.Length);
        WriteId(id, framed);
        json.CopyTo(framed, Length);
        return framed;
    }

    /// <summary>Writes the five bytes before the JSON.</summary>
    public static void WriteId(int id, Span<byte> destination) => new SchemaId(SchemaType.Json, id, guid: (string?)null).WriteIdToBytes(destination);

    /// <summary>Whether bytes begin as the format does. JSON never does.</summary>
    public static bool IsFramed(ReadOnlySpan<byte> data) => data.Length >= Length && data[0] is SchemaId.MAGIC_BYTE_V0;

    /// <summary>Whether the schema's id is in a header of the message, as Confluent's serializers put it there where they are told to.</summary>
    public static bool IsInHeader(MessageContext context)
    {
        for (var i = context.Headers.Count - 1; i >= 0; i--)
        {
            if (context.Headers[i].Name is SchemaId.VALUE_SCHEMA_ID_HEADER)
            {
                return context.Headers[i].Value is { Length: LengthInHeader } value && value[0] is SchemaId.MAGIC_BYTE_V1;
            }
        }

        return false;
    }

    /// <summary>The schema's id; only where <see cref="IsFramed"/>.</summary>
    public static int IdOf(ReadOnlyMemory<byte> data)
    {
        var id = new SchemaId(SchemaType.Json);
        _ = id.FromBytes(data);
        return id.Id!.Value;
    }

    /// <summary>Why bytes are not of the format.</summary>
    public static string WhatIsWrong(ReadOnlySpan<byte> data) => data.Length < Length
        ? string.Create(CultureInfo.InvariantCulture, $"it has {data.Length} bytes, and the schema's id alone needs {Length}")
        : string.Create(CultureInfo.InvariantCulture, $"its first byte is {data[0]}, not 0: it was not written with a schema of a registry");
}
