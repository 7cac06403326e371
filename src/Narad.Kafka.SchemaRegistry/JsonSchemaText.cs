using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Schema;
using System.Text.Json.Serialization;

namespace Narad.Kafka.SchemaRegistry;

/// <summary>The JSON Schema of a type, as System.Text.Json writes the type: names, numbers, enumerations and required members are those of its JSON.</summary>
internal static class JsonSchemaText
{
    private const string Dialect = "http://json-schema.org/draft-07/schema#";

    private static readonly JsonSchemaExporterOptions Exporter = new() { TreatNullObliviousAsNonNullable = true };

    /// <summary>The schema, with its dialect and the type's name as its title.</summary>
    /// <exception cref="NotSupportedException">The options do not know the type, or it has no schema.</exception>
    public static JsonObject Of(Type type, JsonSerializerOptions? options)
    {
        var used = Written(options);
        var schema = used.GetJsonSchemaAsNode(type, Exporter);
        if (used.DefaultIgnoreCondition is not JsonIgnoreCondition.Never)
        {
            WithoutOmitted(schema);
        }

        var document = new JsonObject { ["$schema"] = Dialect, ["title"] = type.Name };
        if (schema is JsonObject body)
        {
            foreach (var (name, value) in body.ToList())
            {
                body.Remove(name);
                document[name] = value;
            }
        }

        return document;
    }

    // Reading numbers from strings is no part of what is written.
    [UnconditionalSuppressMessage("Trimming", "IL2026", Justification = "Only reached where the application kept JSON by reflection.")]
    [UnconditionalSuppressMessage("AOT", "IL3050", Justification = "Only reached where the application kept JSON by reflection.")]
    private static JsonSerializerOptions Written(JsonSerializerOptions? options)
    {
        var used = options is null ? new JsonSerializerOptions(JsonSerializerDefaults.Web) : new JsonSerializerOptions(options);
        used.NumberHandling &= ~JsonNumberHandling.AllowReadingFromString;
        used.MakeReadOnly(populateMissingResolver: used.TypeInfoResolver is null && JsonSerializer.IsReflectionEnabledByDefault);
        return used;
    }

    // A member that is not written where it is null is not required.
    private static void WithoutOmitted(JsonNode? node)
    {
        switch (node)
        {
            case JsonObject schema:
                if (schema["required"] is JsonArray required && schema["properties"] is JsonObject properties)
                {
                    foreach (var omitted in required.Where(name => name is not null && MayBeNull(properties[name.GetValue<string>()])).ToList())
                    {
                        required.Remove(omitted);
                    }
                }

                foreach (var (_, child) in schema)
                {
                    WithoutOmitted(child);
                }

                break;
            case JsonArray items:
                foreach (var item in items)
                {
                    WithoutOmitted(item);
                }

                break;
        }
    }

    private static bool MayBeNull(JsonNode? schema) =>
        schema is JsonObject { } property
            && (property["type"] is not JsonArray types
            || types.Any(static type => type is JsonValue value && value.TryGetValue(out string? name) && name is "null"));
}
