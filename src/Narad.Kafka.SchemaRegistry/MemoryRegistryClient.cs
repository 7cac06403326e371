using System.Net;
using Confluent.SchemaRegistry;

namespace Narad.Kafka.SchemaRegistry;

/// <summary>A registry in the memory of this process, for development: every schema is accepted. Answers as a server would. Thread-safe.</summary>
internal sealed class MemoryRegistryClient : RegistryClient
{
    private const int SubjectNotFound = 40401;
    private const int VersionNotFound = 40402;
    private const int SchemaNotFound = 40403;

    // An id is the place of its schema in the list, from 1 on. Also the lock.
    private readonly List<RegisteredSchema> _schemas = [];

    /// <summary>The registry that all services of this process share.</summary>
    public static MemoryRegistryClient Shared { get; } = new();

    public override Task<Schema> GetSchemaAsync(int id, string? format = null) =>
        Found(schemas => id >= 1 && id <= schemas.Count ? schemas[id - 1].Schema : null, SchemaNotFound);

    public override Task<Schema> GetSchemaByGuidAsync(string guid, string? format = null) => throw NotFound(SchemaNotFound);

    public override Task<RegisteredSchema> GetRegisteredSchemaAsync(string subject, int version, bool ignoreDeletedSchemas = true) =>
        Found(schemas => schemas.Find(schema => Is(schema, subject) && schema.Version == version), VersionNotFound);

    public override Task<RegisteredSchema> GetLatestSchemaAsync(string subject) =>
        Found(schemas => schemas.FindLast(schema => Is(schema, subject)), SubjectNotFound);

    public override Task<RegisteredSchema> GetLatestWithMetadataAsync(string subject, IDictionary<string, string> metadata, bool ignoreDeletedSchemas) =>
        Found(
            schemas => schemas.FindLast(schema => Is(schema, subject)
                && metadata.All(entry => schema.Metadata?.Properties?.TryGetValue(entry.Key, out var value) is true
                    && string.Equals(value, entry.Value, StringComparison.Ordinal))),
            VersionNotFound);

    public override Task<RegisteredSchema> LookupSchemaAsync(string subject, Schema schema, bool ignoreDeletedSchemas, bool normalize = false) =>
        Found(schemas => schemas.Find(one => Is(one, subject) && one.Schema.Equals(schema)), SchemaNotFound);

    public override Task<RegisteredSchema> RegisterSchemaWithResponseAsync(string subject, Schema schema, bool normalize = false) =>
        Found(
            schemas =>
            {
                if (schemas.Find(one => Is(one, subject) && one.Schema.Equals(schema)) is { } known)
                {
                    return known;
                }

                var version = schemas.Count(one => Is(one, subject)) + 1;
                var added = new RegisteredSchema(subject, version, schemas.Count + 1, schema.SchemaString, schema.SchemaType, schema.References ?? [])
                {
                    Metadata = schema.Metadata,
                    RuleSet = schema.RuleSet,
                };
                schemas.Add(added);
                return added;
            },
            SchemaNotFound);

    public override Task<bool> IsCompatibleAsync(string subject, Schema schema) => Task.FromResult(true);

    public override Task<List<Association>> GetAssociationsByResourceNameAsync(
        string resourceName, string resourceNamespace, string resourceType, List<string> associationTypes, string lifecycle, int offset, int limit) =>
        Task.FromResult(new List<Association>());

    private Task<T> Found<T>(Func<List<RegisteredSchema>, T?> find, int otherwise)
        where T : class
    {
        lock (_schemas)
        {
            return find(_schemas) is { } found ? Task.FromResult(found) : Task.FromException<T>(NotFound(otherwise));
        }
    }

    private static bool Is(RegisteredSchema schema, string subject) => string.Equals(schema.Subject, subject, StringComparison.Ordinal);

    private static SchemaRegistryException NotFound(int code) => new("not found", HttpStatusCode.NotFound, code);
}
