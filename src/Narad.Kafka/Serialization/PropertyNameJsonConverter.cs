using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Narad.Kafka.Serialization;

/// <summary>Base of the converters whose values can also be keys of dictionaries: such a value has a text form. Thread-safe.</summary>
/// <typeparam name="T">The type of the values.</typeparam>
internal abstract class PropertyNameJsonConverter<T> : JsonConverter<T>
    where T : struct
{
    /// <summary>The text form, for the error message.</summary>
    protected abstract string Format { get; }

    public sealed override T ReadAsPropertyName(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        TryParse(reader.GetString() ?? "", out var value) ? value : throw new JsonException($"As a property name, a {typeof(T).Name} is written as {Format}.");

    public sealed override void WriteAsPropertyName(Utf8JsonWriter writer, [DisallowNull] T value, JsonSerializerOptions options) =>
        writer.WritePropertyName(TextOf(value));

    /// <summary>Returns the text form of a value.</summary>
    protected abstract string TextOf(T value);

    /// <summary>Parses the text form; false where it is none.</summary>
    protected abstract bool TryParse(string text, out T value);

    /// <summary>Returns a property name as the naming policy of the options writes it.</summary>
    protected static string NameIn(JsonSerializerOptions options, string name) => options.PropertyNamingPolicy?.ConvertName(name) ?? name;
}
