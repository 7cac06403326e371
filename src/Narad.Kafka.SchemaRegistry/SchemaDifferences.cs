using System.Text.Json.Nodes;

namespace Narad.Kafka.SchemaRegistry;

/// <summary>
/// Compares two JSON schemas, in words. It looks at types, properties, required properties, items and enumerations; what it does not know is no difference.
/// </summary>
internal sealed class SchemaDifferences
{
    private const int Deepest = 32;
    private const int Most = 20;

    private readonly JsonNode? _written;
    private readonly JsonNode? _registered;
    private readonly bool _all;
    private readonly List<string> _found = [];

    private SchemaDifferences(JsonNode? written, JsonNode? registered, bool all)
    {
        _written = written;
        _registered = registered;
        _all = all;
    }

    /// <summary>Why values of one schema do not fit the other one.</summary>
    /// <param name="written">The schema of the type that is sent.</param>
    /// <param name="registered">The schema that it must fit.</param>
    public static IReadOnlyList<string> ThatBreak(JsonNode? written, JsonNode? registered) => Find(written, registered, all: false);

    /// <summary>All differences, those included that a value may have.</summary>
    /// <inheritdoc cref="ThatBreak"/>
    public static IReadOnlyList<string> All(JsonNode? written, JsonNode? registered) => Find(written, registered, all: true);

    private static List<string> Find(JsonNode? written, JsonNode? registered, bool all)
    {
        var differences = new SchemaDifferences(written, registered, all);
        differences.Compare(written, registered, "", Deepest);
        return differences._found;
    }

    private void Compare(JsonNode? written, JsonNode? registered, string path, int depth)
    {
        if (depth == 0 || _found.Count >= Most)
        {
            return;
        }

        if (registered is JsonValue boolean && boolean.TryGetValue(out bool isAllowed))
        {
            if (!isAllowed)
            {
                Add(path, "the registered schema allows no value");
            }

            return;
        }

        if (Resolve(written, _written) is not { } ours || Resolve(registered, _registered) is not { } theirs)
        {
            return;
        }

        foreach (var part in theirs["allOf"] as JsonArray ?? [])
        {
            Compare(ours, part, path, depth - 1);
        }

        if (theirs["anyOf"] is not null || theirs["oneOf"] is not null)
        {
            return;   // each value decides
        }

        CompareTypes(ours, theirs, path);
        CompareEnumerations(ours, theirs, path);
        CompareProperties(ours, theirs, path, depth);
        if (theirs["items"] is JsonObject items)
        {
            Compare(ours["items"], items, path + "/*", depth - 1);
        }
    }

    // Whether a value may be null is decided by each value.
    private void CompareTypes(JsonObject ours, JsonObject theirs, string path)
    {
        var written = Texts(ours["type"]).Where(static type => type is not "null").ToList();
        var allowed = Texts(theirs["type"]).ToList();
        if (written.Count == 0 || allowed.Count == 0)
        {
            return;
        }

        if (written.Exists(type => !allowed.Contains(type, StringComparer.Ordinal)
            && !(type is "integer" && allowed.Contains("number", StringComparer.Ordinal))))
        {
            Add(path, $"the type writes {string.Join(" or ", written)}, and the registered schema has {string.Join(" or ", allowed)}");
        }
    }

    private void CompareEnumerations(JsonObject ours, JsonObject theirs, string path)
    {
        if (ours["enum"] is JsonArray written && theirs["enum"] is JsonArray allowed)
        {
            foreach (var value in written.Where(value => value is not null && !allowed.Any(one => JsonNode.DeepEquals(one, value))))
            {
                Add(path, $"the type may write {value!.ToJsonString()}, which the registered schema does not list");
            }
        }
    }

    private void CompareProperties(JsonObject ours, JsonObject theirs, string path, int depth)
    {
        if (ours["properties"] is not JsonObject written)
        {
            return;
        }

        var known = theirs["properties"] as JsonObject ?? [];
        foreach (var name in Texts(theirs["required"]).Where(name => !written.ContainsKey(name)))
        {
            Add($"{path}/{name}", "the registered schema requires it, and the type does not have it");
        }

        var isClosed = theirs["additionalProperties"] is JsonValue value && value.TryGetValue(out bool isAllowed) && !isAllowed
            && theirs["patternProperties"] is null;
        foreach (var (name, property) in written)
        {
            if (known[name] is { } registered)
            {
                Compare(property, registered, $"{path}/{name}", depth - 1);
            }
            else if (isClosed)
            {
                Add($"{path}/{name}", "the type has it, and the registered schema allows no other properties");
            }
            else if (_all)
            {
                Add($"{path}/{name}", "the type has it, and the registered schema does not");
            }
        }

        if (!_all)
        {
            return;
        }

        foreach (var (name, _) in known.Where(property => !written.ContainsKey(property.Key)
            && !Texts(theirs["required"]).Contains(property.Key, StringComparer.Ordinal)))
        {
            Add($"{path}/{name}", "the registered schema has it, and the type does not");
        }

        foreach (var name in Texts(ours["required"]).Where(known.ContainsKey).Except(Texts(theirs["required"]), StringComparer.Ordinal))
        {
            Add($"{path}/{name}", "the type requires it, and the registered schema does not");
        }
    }

    private void Add(string path, string what) => _found.Add($"{(path.Length == 0 ? "/" : path)}: {what}");

    private static IEnumerable<string> Texts(JsonNode? node) => node switch
    {
        JsonArray several => several.OfType<JsonValue>().Select(static value => value.TryGetValue(out string? text) ? text : null).OfType<string>(),
        JsonValue value when value.TryGetValue(out string? text) => [text],
        _ => [],
    };

    // Follows references within the document; null where there is nothing to compare.
    private static JsonObject? Resolve(JsonNode? node, JsonNode? document)
    {
        for (var i = 0; i < Deepest && node is JsonObject schema; i++)
        {
            if (schema["$ref"] is not JsonValue reference || !reference.TryGetValue(out string? pointer))
            {
                return schema;
            }

            if (!pointer.StartsWith('#'))
            {
                return null;
            }

            node = document;
            foreach (var step in pointer[1..].Split('/', StringSplitOptions.RemoveEmptyEntries))
            {
                node = (node as JsonObject)?[Uri.UnescapeDataString(step).Replace("~1", "/", StringComparison.Ordinal).Replace("~0", "~",
                    StringComparison.Ordinal)];
            }
        }

        return null;
    }
}
