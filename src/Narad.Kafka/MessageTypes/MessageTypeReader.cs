using System.Text.Json;

namespace Narad.Kafka.MessageTypes;

/// <summary>
/// Finds the name of a message's type in its JSON without deserializing it: the property of that very name at the top, if it is there once and is text. Knows
/// an envelope from a flat message. Allocates the name only, of which it keeps a bounded part.
/// </summary>
internal static class MessageTypeReader
{
    /// <summary>The longest name of a type. What is longer on the wire is cut behind it, so that it is the name of no type.</summary>
    public const int LongestName = 250;

    private static ReadOnlySpan<byte> EnvelopeType => "type"u8;

    /// <summary>Reads to the end of the message, so that what is broken behind its type is found here too.</summary>
    /// <param name="json">The message.</param>
    /// <param name="property">The name of the property, UTF-8. Envelopes are known where it is <c>type</c>.</param>
    /// <exception cref="JsonException">The bytes are not one JSON value.</exception>
    public static TypedJson Read(ReadOnlyMemory<byte> json, ReadOnlySpan<byte> property)
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
        var typesSeen = 0;
        ReadOnlyMemory<byte>? data = null;
        var marks = 0;
        var others = false;
        while (reader.Read() && reader.TokenType is JsonTokenType.PropertyName)
        {
            var isType = reader.ValueTextEquals(property);
            var isData = reader.ValueTextEquals("data"u8);
            var isMark = reader.ValueTextEquals("id"u8) || reader.ValueTextEquals("version"u8) || reader.ValueTextEquals("timestamp"u8);
            others |= !isType && !isData && !isMark && !reader.ValueTextEquals("source"u8);
            marks += isMark ? 1 : 0;
            reader.Read();
            var start = (int)reader.TokenStartIndex;
            if (isType)
            {
                // Of two, readers in other languages take either: neither is believed.
                type = typesSeen++ == 0 && reader.TokenType is JsonTokenType.String ? NameOf(ref reader) : null;
            }

            reader.Skip();
            if (isData)
            {
                data ??= json[start..(int)reader.BytesConsumed];
            }
        }

        Finish(ref reader);

        // An envelope has data, and either nothing that an envelope has not, or everything that an envelope has.
        var isEnvelope = property.SequenceEqual(EnvelopeType) && (!others || marks >= 3);
        return new TypedJson(type, data is { } wrapped && isEnvelope ? wrapped : json);
    }

    /// <summary>A name as it is kept: at most one character more than the longest.</summary>
    public static string Cut(string name) => name.Length <= LongestName ? name : name[..(LongestName + 1)];

    private static string? NameOf(ref Utf8JsonReader reader)
    {
        try
        {
            return Cut(reader.GetString()!);
        }
        catch (InvalidOperationException)
        {
            return null;    // half a character, which is no text
        }
    }

    private static void Finish(ref Utf8JsonReader reader)
    {
        while (reader.Read())
        {
        }
    }
}
