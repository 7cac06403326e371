using System.Text;
using System.Text.Json;

namespace Narad.Kafka.Serialization;

/// <summary>
/// Writes a <see cref="MessageKey"/> as text where its bytes are printable UTF-8, else as <c>{"base64":"…"}</c>; no key is <c>null</c>. Reading gives an
/// equal key. Thread-safe.
/// </summary>
internal sealed class MessageKeyJsonConverter : PropertyNameJsonConverter<MessageKey>
{
    private const string Base64 = "base64";
    private const string Prefix = Base64 + ":";

    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    public override bool HandleNull => true;

    protected override string Format => "text, or as base64:… where its bytes are not printable";

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
                return reader.Read() && reader.TokenType is JsonTokenType.EndObject ? bytes
                    : throw new JsonException("An object with a key's base64 has no other property.");
            default:
                throw new JsonException("A key is text, null, or an object with its bytes as base64.");
        }
    }

    public override void Write(Utf8JsonWriter writer, MessageKey value, JsonSerializerOptions options)
    {
        if (value.WireBytes is not { } bytes)
        {
            writer.WriteNullValue();
        }
        else if (PrintableTextOf(bytes) is { } text)
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

    // A text that begins like the form for bytes is written as bytes, so that reading gives an equal key.
    protected override string TextOf(MessageKey value) =>
        value.WireBytes is not { } bytes ? throw new JsonException("A message without a key cannot be the name of a property.")
        : PrintableTextOf(bytes) is { } text && !text.StartsWith(Prefix, StringComparison.Ordinal) ? text
        : Prefix + Convert.ToBase64String(bytes);

    protected override bool TryParse(string text, out MessageKey value)
    {
        if (!text.StartsWith(Prefix, StringComparison.Ordinal))
        {
            value = text;
            return true;
        }

        var bytes = new byte[text.Length];
        var isParsed = Convert.TryFromBase64Chars(text.AsSpan(Prefix.Length), bytes, out var length);
        value = isParsed ? bytes[..length] : MessageKey.None;
        return isParsed;
    }

    private static string? PrintableTextOf(byte[] bytes)
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
