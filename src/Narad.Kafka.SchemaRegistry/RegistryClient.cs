using System.Net;
using Confluent.SchemaRegistry;

namespace Narad.Kafka.SchemaRegistry;

/// <summary>
/// The members of Confluent's client that serializers use, and those that follow from them. The others, which administer a registry, are refused
/// unless a client has them.
/// </summary>
internal abstract class RegistryClient : ISchemaRegistryClient
{
    public virtual IEnumerable<KeyValuePair<string, string>> Config => [];

    public virtual IAuthenticationHeaderValueProvider AuthHeaderProvider => null!;

    public virtual IWebProxy Proxy => null!;

    public virtual int MaxCachedSchemas => 1_000;

    public abstract Task<Schema> GetSchemaAsync(int id, string? format = null);

    public abstract Task<Schema> GetSchemaByGuidAsync(string guid, string? format = null);

    public abstract Task<RegisteredSchema> GetRegisteredSchemaAsync(string subject, int version, bool ignoreDeletedSchemas = true);

    public abstract Task<RegisteredSchema> GetLatestSchemaAsync(string subject);

    public abstract Task<RegisteredSchema> GetLatestWithMetadataAsync(string subject, IDictionary<string, string> metadata, bool ignoreDeletedSchemas);

    public abstract Task<RegisteredSchema> LookupSchemaAsync(string subject, Schema schema, bool ignoreDeletedSchemas, bool normalize = false);

    public abstract Task<RegisteredSchema> RegisterSchemaWithResponseAsync(string subject, Schema schema, bool normalize = false);

    public abstract Task<bool> IsCompatibleAsync(string subject, Schema schema);

    public abstract Task<List<Association>> GetAssociationsByResourceNameAsync(
        string resourceName, string resourceNamespace, string resourceType, List<string> associationTypes, string lifecycle, int offset, int limit);

    // Ids are unique in the registry; Confluent's own client does not ask again for another subject either.
    public Task<Schema> GetSchemaBySubjectAndIdAsync(string subject, int id, string? format = null) => GetSchemaAsync(id, format);

    public async Task<int> RegisterSchemaAsync(string subject, Schema schema, bool normalize = false) =>
        (await RegisterSchemaWithResponseAsync(subject, schema, normalize).ConfigureAwait(false)).Id;

    public Task<int> RegisterSchemaAsync(string subject, string avroSchema, bool normalize = false) =>
        RegisterSchemaAsync(subject, new Schema(avroSchema, SchemaType.Avro), normalize);

    public async Task<int> GetSchemaIdAsync(string subject, Schema schema, bool normalize = false) =>
        (await LookupSchemaAsync(subject, schema, ignoreDeletedSchemas: true, normalize).ConfigureAwait(false)).Id;

    public Task<int> GetSchemaIdAsync(string subject, string avroSchema, bool normalize = false) =>
        GetSchemaIdAsync(subject, new Schema(avroSchema, SchemaType.Avro), normalize);

    public async Task<string> GetSchemaAsync(string subject, int version) =>
        (await GetRegisteredSchemaAsync(subject, version).ConfigureAwait(false)).SchemaString;

    public Task<bool> IsCompatibleAsync(string subject, string avroSchema) => IsCompatibleAsync(subject, new Schema(avroSchema, SchemaType.Avro));

    public string ConstructKeySubjectName(string topic, string? recordType = null) => $"{topic}-key";

    public string ConstructValueSubjectName(string topic, string? recordType = null) => $"{topic}-value";

    public virtual void ClearLatestCaches()
    {
    }

    public virtual void ClearCaches()
    {
    }

    public virtual Task<List<string>> GetAllSubjectsAsync() => throw NotForSerializers();

    public virtual Task<List<int>> GetSubjectVersionsAsync(string subject) => throw NotForSerializers();

    public virtual Task<Compatibility> GetCompatibilityAsync(string? subject = null) => throw NotForSerializers();

    public virtual Task<Compatibility> UpdateCompatibilityAsync(Compatibility compatibility, string? subject = null) => throw NotForSerializers();

    public Task<AssociationResponse> CreateAssociationAsync(AssociationCreateOrUpdateRequest request) => throw NotForSerializers();

    public Task DeleteAssociationsAsync(string resourceId, string resourceType, List<string> associationTypes, bool cascadeLifecycle) =>
        throw NotForSerializers();

    public virtual void Dispose()
    {
    }

    private static NotSupportedException NotForSerializers() =>
        new("This client of a schema registry is for serializers: use Confluent's own to administer a registry.");
}
