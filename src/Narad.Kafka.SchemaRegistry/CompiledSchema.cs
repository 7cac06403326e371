using System.Text.Json;
using System.Text.Json.Nodes;
using Json.Schema;
using JsonSchemas = Json.Schema.SchemaRegistry;

namespace Narad.Kafka.SchemaRegistry;

/// <summary>
/// A registered JSON Schema that values are validated against: drafts 4, 6, 7, 2019-09 and 2020-12. References lead to the schemas that the registry names
/// for it, never to the network. Thread-safe.
/// </summary>
internal sealed class CompiledSchema
{
    private const int Most = 10;
    private const int LongestPath = 100;
    private const string Draft4 = "json-schema.org/draft-04/";

    private static readonly EvaluationOptions Quick = new() { OutputFormat = OutputFormat.Flag };
    private static readonly EvaluationOptions Thorough = new() { OutputFormat = OutputFormat.List };

    private readonly JsonSchema _schema;

    private CompiledSchema(JsonSchema schema, JsonNode? document)
    {
        _schema = schema;
        Document = document;
    }

    /// <summary>The schema as JSON.</summary>
    public JsonNode? Document { get; }

    /// <summary>Compiles a schema.</summary>
    /// <param name="text">The schema.</param>
    /// <param name="references">The schemas that it refers to, by the name that it gives them.</param>
    /// <exception cref="JsonException">It is not JSON.</exception>
    /// <exception cref="JsonSchemaException">It is no JSON Schema.</exception>
    public static CompiledSchema Parse(string text, IReadOnlyList<(string Name, string Text)>? references = null)
    {
        // Its own registry: two schemas may have the same $id, and nothing is fetched.
        var known = new JsonSchemas { Fetch = static (_, _) => null };
        foreach (var (name, referenced) in references ?? [])
        {
            Build(JsonNode.Parse(referenced), known, Uri.TryCreate(name, UriKind.Absolute, out var absolute) ? absolute : new Uri(Base, name));
        }

        var document = JsonNode.Parse(text);
        return new CompiledSchema(Build(document?.DeepClone(), known, new Uri(Base, "schema")), document);
    }

    /// <summary>Where and by which rule a JSON text does not fit; empty where it fits. Never quotes a value.</summary>
    /// <exception cref="JsonException">It is not JSON.</exception>
    public IReadOnlyList<string> Validate(ReadOnlyMemory<byte> json)
    {
        using var document = JsonDocument.Parse(json);
        if (_schema.Evaluate(document.RootElement, Quick).IsValid)
        {
            return [];
        }

        var results = _schema.Evaluate(document.RootElement, Thorough);
        var found = (results.Details ?? []).Prepend(results)
            .Where(static result => result is { IsValid: false, Errors.Count: > 0 })
            .SelectMany(static result => result.Errors!.Select(error => Describe(result.InstanceLocation.ToString(), error.Key, error.Value)))
            .Distinct(StringComparer.Ordinal)
            .Take(Most)
            .ToList();
        return found.Count == 0 ? ["/ (the schema)"] : found;
    }

    private static Uri Base { get; } = new("narad://schemas/");

    // The text of "required" lists names of the schema; all others quote the value.
    private static string Describe(string path, string rule, string text)
    {
        path = path.Length == 0 ? "/" : path.Length > LongestPath ? path[..LongestPath] + "…" : path;
        path = string.Concat(path.Select(static character => char.IsControl(character) ? '?' : character));
        return rule switch
        {
            "required" => $"{path} ({text})",
            "" => $"{path} (not allowed)",
            _ => $"{path} ({rule})",
        };
    }

    private static JsonSchema Build(JsonNode? document, JsonSchemas known, Uri address)
    {
        var dialect = (document as JsonObject)?["$schema"] is JsonValue value && value.TryGetValue(out string? text) ? text : null;
        if (document is JsonObject root)
        {
            if (dialect?.Contains(Draft4, StringComparison.Ordinal) is true)
            {
                root["$schema"] = "http://json-schema.org/draft-07/schema#";
                FromDraft4(root);
            }

            // Its address is the one given here: names of references are relative to that.
            root.Remove("$id");
        }

        using var parsed = JsonDocument.Parse(document?.ToJsonString() ?? "null");
        return JsonSchema.Build(parsed.RootElement.Clone(), new BuildOptions { SchemaRegistry = known, Dialect = Dialect.Draft202012 }, address);
    }

    // Later drafts say id and exclusive limits in another way.
    private static void FromDraft4(JsonNode? node)
    {
        if (node is JsonArray items)
        {
            foreach (var item in items)
            {
                FromDraft4(item);
            }

            return;
        }

        if (node is not JsonObject schema)
        {
            return;
        }

        if (schema["id"] is JsonValue id && id.TryGetValue(out string? _))
        {
            schema.Remove("id");
            schema["$id"] = id;
        }

        foreach (var (limit, exclusive) in ((string, string)[])[("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")])
        {
            if (schema[exclusive] is JsonValue flag && flag.TryGetValue(out bool isExclusive))
            {
                schema.Remove(exclusive);
                if (isExclusive && schema[limit] is { } number)
                {
                    schema.Remove(limit);
                    schema[exclusive] = number;
                }
            }
        }

        foreach (var (_, child) in schema.ToList())
        {
            FromDraft4(child);
        }
    }
}
