using System.Globalization;
using System.Net.Security;
using System.Text.Json;
using System.Text.Json.Nodes;
using Narad.Kafka.Shared;

namespace Narad.Kafka.SchemaRegistry.Tests;

/// <summary>A schema registry in memory that can fail in the ways that registries and what stands before them fail.</summary>
internal sealed class FakeRegistry : IAsyncDisposable
{
    private readonly LoopbackEndpoint _endpoint;
    private readonly List<(string Subject, string Schema, JsonObject Answer)> _schemas = [];
    private readonly TaskCompletionSource _ending = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile RegistryFault _fault;

    public FakeRegistry(SslServerAuthenticationOptions? tls = null) => _endpoint = new LoopbackEndpoint(AnswerAsync, tls);

    public string Url => _endpoint.Address.ToString().TrimEnd('/');

    /// <summary>How it fails at the moment.</summary>
    public RegistryFault Fault
    {
        get => _fault;
        set => _fault = value;
    }

    /// <summary>Whether it says that new schemas are compatible.</summary>
    public bool IsCompatible { get; set; } = true;

    /// <summary>Whether it answers a registration with 409, in words of its own.</summary>
    public bool RefusesSchemas { get; set; }

    public IEnumerable<string> Requests => _endpoint.Requests.Select(static request => request.Head);

    public int Count
    {
        get
        {
            lock (_schemas)
            {
                return _schemas.Count;
            }
        }
    }

    /// <summary>How often a path was asked for.</summary>
    public int RequestsOf(string path) => Requests.Count(head => Uri.UnescapeDataString(head.Split(' ')[1]).StartsWith(path, StringComparison.Ordinal));

    /// <summary>Adds a schema; its id is returned.</summary>
    /// <param name="subject">The subject.</param>
    /// <param name="schema">The schema.</param>
    /// <param name="type">AVRO, JSON or PROTOBUF.</param>
    /// <param name="more">More members of the answer: references, ruleSet.</param>
    public int Add(string subject, string schema, string type = "JSON", string more = "{}")
    {
        lock (_schemas)
        {
            var answer = JsonNode.Parse(more)!.AsObject();
            var id = _schemas.Count + 1;
            answer["subject"] = subject;
            answer["version"] = _schemas.Count(other => other.Subject == subject) + 1;
            answer["id"] = id;
            answer["guid"] = GuidOf(id);
            answer["schemaType"] = type;
            answer["schema"] = schema;
            _schemas.Add((subject, schema, answer));
            return id;
        }
    }

    public async ValueTask DisposeAsync()
    {
        _ending.TrySetResult();
        await _endpoint.DisposeAsync();
    }

    private async Task<(string Status, string Type, string Body)> AnswerAsync(string head, string body)
    {
        switch (_fault)
        {
            case RegistryFault.ServerError: return ("500 Internal Server Error", "application/json", """{"error_code":50001,"message":"no store"}""");
            case RegistryFault.Html: return ("200 OK", "text/html", "<html><body>Maintenance</body></html>");
            case RegistryFault.EmptyObject: return ("200 OK", "application/json", "{}");
            case RegistryFault.OtherNotFound: return ("404 Not Found", "text/html", "<html>no such page</html>");
            case RegistryFault.Unauthorized: return ("401 Unauthorized", "application/json", """{"error_code":401,"message":"who are you"}""");
            case RegistryFault.Hangs:
                await _ending.Task;
                return ("503 Service Unavailable", "text/plain", "");
        }

        var request = head.Split(' ');
        var path = Uri.UnescapeDataString(request[1].Split('?')[0]).Split('/', StringSplitOptions.RemoveEmptyEntries);
        lock (_schemas)
        {
            return path switch
            {
                ["schemas", "ids", var id] => Answer(int.Parse(id, CultureInfo.InvariantCulture), 40403),
                ["schemas", "guids", var guid] => Answer(1 + _schemas.FindIndex(schema => (string?)schema.Answer["guid"] == guid), 40403),
                ["subjects", var subject, "versions", "latest"] => Answer(1 + _schemas.FindLastIndex(schema => schema.Subject == subject), 40401),
                ["subjects", var subject, "versions", var version] => Answer(
                    1 + _schemas.FindIndex(schema => schema.Subject == subject && schema.Answer["version"]!.ToString() == version), 40402),
                ["subjects", var subject, "versions"] when request[0] is "POST" => Register(subject, body),
                ["subjects", var subject] when request[0] is "POST" => Answer(
                    1 + _schemas.FindIndex(schema => schema.Subject == subject && schema.Schema == SchemaIn(body)), 40403),
                ["compatibility", ..] => Json(new JsonObject { ["is_compatible"] = IsCompatible }),
                _ => ("404 Not Found", "application/json", """{"error_code":404,"message":"not here"}"""),
            };
        }
    }

    private (string Status, string Type, string Body) Answer(int id, int otherwise) => id >= 1 && id <= _schemas.Count
        ? Json(_schemas[id - 1].Answer)
        : ("404 Not Found", "application/json", $$"""{"error_code":{{otherwise}},"message":"not found"}""");

    private (string Status, string Type, string Body) Register(string subject, string body)
    {
        if (RefusesSchemas)
        {
            return ("409 Conflict", "application/json", """{"error_code":409,"message":"das geht so nicht"}""");
        }

        var schema = SchemaIn(body);
        var known = 1 + _schemas.FindIndex(one => one.Subject == subject && one.Schema == schema);
        var id = known > 0 ? known : Add(subject, schema, JsonNode.Parse(body)!["schemaType"]?.ToString() ?? "AVRO");
        return Json(new JsonObject { ["id"] = id });
    }

    private static string SchemaIn(string body) => JsonDocument.Parse(body).RootElement.GetProperty("schema").GetString()!;

    private static string GuidOf(int id) => new Guid(id, 0, 0, new byte[8]).ToString();

    private static (string Status, string Type, string Body) Json(JsonObject answer) =>
        ("200 OK", "application/vnd.schemaregistry.v1+json", answer.ToJsonString());
}
