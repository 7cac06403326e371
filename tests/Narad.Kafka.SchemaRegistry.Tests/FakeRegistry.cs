using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Narad.Kafka.Shared;

namespace Narad.Kafka.SchemaRegistry.Tests;

/// <summary>A schema registry in memory that can fail in the ways that registries and what stands before them fail.</summary>
internal sealed class FakeRegistry : IAsyncDisposable
{
    private readonly LoopbackEndpoint _endpoint;
    private readonly List<(string Subject, string Schema)> _schemas = [];
    private readonly TaskCompletionSource _ending = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile RegistryFault _fault;

    public FakeRegistry() => _endpoint = new LoopbackEndpoint(AnswerAsync);

    public string Url => _endpoint.Address.ToString().TrimEnd('/');

    /// <summary>How it fails at the moment.</summary>
    public RegistryFault Fault
    {
        get => _fault;
        set => _fault = value;
    }

    /// <summary>Whether it says that new schemas are compatible.</summary>
    public bool IsCompatible { get; set; } = true;

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

    /// <summary>Adds a schema; its id is returned.</summary>
    public int Add(string subject, string schema)
    {
        lock (_schemas)
        {
            _schemas.Add((subject, schema));
            return _schemas.Count;
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
                ["schemas", "ids", var id] => ById(int.Parse(id, CultureInfo.InvariantCulture)),
                ["subjects", var subject, "versions", "latest"] => Latest(subject),
                ["subjects", var subject, "versions"] when request[0] is "POST" => Register(subject, body),
                ["compatibility", ..] => Json(new JsonObject { ["is_compatible"] = IsCompatible }),
                _ => ("404 Not Found", "application/json", """{"error_code":404,"message":"not here"}"""),
            };
        }
    }

    private (string Status, string Type, string Body) ById(int id) => id >= 1 && id <= _schemas.Count
        ? Json(new JsonObject { ["schema"] = _schemas[id - 1].Schema, ["schemaType"] = "JSON" })
        : ("404 Not Found", "application/json", """{"error_code":40403,"message":"Schema not found"}""");

    private (string Status, string Type, string Body) Latest(string subject)
    {
        var index = _schemas.FindLastIndex(schema => schema.Subject == subject);
        return index < 0
            ? ("404 Not Found", "application/json", """{"error_code":40401,"message":"Subject not found"}""")
            : Json(new JsonObject { ["subject"] = subject, ["version"] = 1, ["id"] = index + 1, ["schema"] = _schemas[index].Schema, ["schemaType"] = "JSON" });
    }

    private (string Status, string Type, string Body) Register(string subject, string body)
    {
        _schemas.Add((subject, JsonDocument.Parse(body).RootElement.GetProperty("schema").GetString()!));
        return Json(new JsonObject { ["id"] = _schemas.Count });
    }

    private static (string Status, string Type, string Body) Json(JsonObject answer) =>
        ("200 OK", "application/vnd.schemaregistry.v1+json", answer.ToJsonString());
}
