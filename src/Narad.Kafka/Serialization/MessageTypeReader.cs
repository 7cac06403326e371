using System.Text.Json;

namespace Narad.Kafka.Serialization;

/// <summary>
/// Finds a message's <c>type</c> in its JSON without deserializing it: the first property of that very name at the top, if it is text. Knows an
/// envelope from a flat message. Allocates the type's text only.
/// </summary>
internal static class MessageTypeReader
{
    /// <summary>Reads to the end of the message, so that what is broken behind its type is found here too.</summary>
    /// <exception cref="JsonException">The bytes are not one JSON value.</exception>
    public static TypedJson Read(ReadOnlyMemory<byte> json)
    {
        var reader = new Utf8JsonReader(json.Span);
        reader.Read();
        if (reader.TokenType is not JsonTokenType.StartObject)
        {
            reader.Skip();
            Finish(ref reader);
            return new TypedJson(null, json);
        }

        string? type = null;
        var typeSeen = false;
        ReadOnlyMemory<byte>? data = null;
        var marks = 0;
        var others = false;
        while (reader.Read() && reader.TokenType is JsonTokenType.PropertyName)
        {
            var isType = reader.ValueTextEquals("type"u8);
            var isData = reader.ValueTextEquals("data"u8);
            var isMark = reader.ValueTextEquals("id"u8) || reader.ValueTextEquals("version"u8) || reader.ValueTextEquals("timestamp"u8);
            others |= !isType && !isData && !isMark && !reader.ValueTextEquals("source"u8);
            marks += isMark ? 1 : 0;
            reader.Read();
            var start = (int)reader.TokenStartIndex;
            if (isType && !typeSeen)
            {
                typeSeen = true;
                type = reader.TokenType is JsonTokenType.String ? reader.GetString() : null;
            }

            reader.Skip();
            if (isData)
            {
                data ??= json[start..(int)reader.BytesConsumed];
            }
        }

        Finish(ref reader);

        // An envelope has data, and either nothing that an envelope has not, or everything that an envelope has.
        return new TypedJson(type, data is { } wrapped && (!others || marks >= 3) ? wrapped : json);
    }

    private static void Finish(ref Utf8JsonReader reader)
    {
        while (reader.Read())
        {
        }
    }
}
