using System.ComponentModel;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Narad.Kafka;

/// <summary>
/// Writes a <see cref="MessageKey"/> as text where its bytes are printable text, else as <c>{"base64":"…"}</c>; no key is <c>null</c>. Reading gives an equal
/// key. Thread-safe.
/// </summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public sealed class MessageKeyJsonConverter : JsonConverter<MessageKey>
{
    private const string Base64 = "base64";

    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <inheritdoc/>
    public override bool HandleNull => true;

    /// <inheritdoc/>
    public override MessageKey Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        switch (reader.TokenType)
        {
            case JsonTokenType.Null:
                return MessageKey.None;
            case JsonTokenType.String:
                return reader.GetString();
            case JsonTokenType.StartObject when reader.Read() && reader.TokenType is JsonTokenType.PropertyName && reader.ValueTextEquals(Base64):
                reader.Read();
                var bytes = reader.GetBytesFromBase64();
                return reader.Read() && reader.TokenType is JsonTokenType.EndObject ? bytes : throw new JsonException("Behind a key's bytes nothing is expected.");
            default:
                throw new JsonException("A key is text, null, or an object with its bytes as base64.");
        }
    }

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter writer, MessageKey value, JsonSerializerOptions options)
    {
        ArgumentNullException.ThrowIfNull(writer);
        if (value.WireBytes is not { } bytes)
        {
            writer.WriteNullValue();
        }
        else if (TextOf(bytes) is { } text)
        {
            writer.WriteStringValue(text);
        }
        else
        {
            writer.WriteStartObject();
            writer.WriteBase64String(Base64, bytes);
            writer.WriteEndObject();
        }
    }

    private static string? TextOf(byte[] bytes)
    {
        try
        {
            return Strict.GetString(bytes) is var text && !text.Any(char.IsControl) ? text : null;
        }
        catch (DecoderFallbackException)
        {
            return null;
        }
    }
}
