using System.ComponentModel;
using System.Text.Json;
using System.Text.Json.Serialization;
using Narad.Kafka.Diagnostics;

namespace Narad.Kafka;

/// <summary>
/// Writes an exception as an object with its <c>type</c> and <c>message</c>: an exception holds what cannot be written as JSON, and its stack trace is not for
/// who reads a result.
/// It is not read back. Thread-safe.
/// </summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public sealed class ExceptionJsonConverter : JsonConverter<Exception>
{
    /// <inheritdoc/>
    public override bool CanConvert(Type typeToConvert) => typeof(Exception).IsAssignableFrom(typeToConvert);

    /// <inheritdoc/>
    public override Exception? Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => throw new NotSupportedException("An exception is not read from JSON.");

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter writer, Exception value, JsonSerializerOptions options)
    {
        ArgumentNullException.ThrowIfNull(writer);
        ArgumentNullException.ThrowIfNull(value);
        ArgumentNullException.ThrowIfNull(options);
        writer.WriteStartObject();
        writer.WriteString(NameIn(options, "Type"), value.GetType().FullName);
        writer.WriteString(NameIn(options, "Message"), ExceptionText.Message(value));
        writer.WriteEndObject();
    }

    private static string NameIn(JsonSerializerOptions options, string name) => options.PropertyNamingPolicy?.ConvertName(name) ?? name;
}
