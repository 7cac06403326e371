using System.Text.Json;
using System.Text.Json.Serialization;
using Narad.Kafka.Diagnostics;

namespace Narad.Kafka.Serialization;

/// <summary>
/// Writes an exception as an object with its <c>type</c> and <c>message</c>. Other members of exceptions cannot be written as JSON, and a stack trace does not
/// belong into the answer of an endpoint. Thread-safe.
/// </summary>
internal sealed class ExceptionJsonConverter : JsonConverter<Exception>
{
    public override bool CanConvert(Type typeToConvert) => typeToConvert.IsAssignableTo(typeof(Exception));

    public override Exception? Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        throw new NotSupportedException("An exception is not read from JSON.");

    public override void Write(Utf8JsonWriter writer, Exception value, JsonSerializerOptions options)
    {
        writer.WriteStartObject();
        writer.WriteString(NameIn(options, "Type"), value.GetType().FullName);
        writer.WriteString(NameIn(options, "Message"), ExceptionText.Message(value));
        writer.WriteEndObject();
    }

    private static string NameIn(JsonSerializerOptions options, string name) => options.PropertyNamingPolicy?.ConvertName(name) ?? name;
}
