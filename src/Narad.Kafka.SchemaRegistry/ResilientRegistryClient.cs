using System.Globalization;
using System.Net;
using Confluent.SchemaRegistry;

namespace Narad.Kafka.SchemaRegistry;

/// <summary>
/// The client that serializers get. It remembers what the registry answered, so known schemas do not need the registry again. A registry that is unavailable is
/// a <see cref="SerializationUnavailableException"/>, an answer that there is no such schema an <see cref="UnknownSchemaException"/>, and a refused schema a
/// <see cref="SchemaMismatchException"/>, whatever the client throws. Thread-safe.
/// </summary>
internal sealed class ResilientRegistryClient : RegistryClient
{
    private readonly RegistryConnection _connection;
    private readonly SharedLookups<(int Id, string? Format), Schema> _byId;
    private readonly SharedLookups<(string Guid, string? Format), Schema> _byGuid;
    private readonly SharedLookups<(string Subject, int Version), RegisteredSchema> _byVersion;
    private readonly SharedLookups<(string Subject, string Metadata), RegisteredSchema> _latest;
    private readonly SharedLookups<(string Subject, Schema Schema, bool IgnoreDeleted, bool Normalize), RegisteredSchema> _lookups;
    private readonly SharedLookups<(string Subject, Schema Schema, bool Normalize), RegisteredSchema> _registrations;

    public ResilientRegistryClient(RegistryConnection connection, TimeProvider time, TimeSpan refusalLifetime)
    {
        _connection = connection;
        _byId = Lookups<(int Id, string? Format), Schema>(
            static key => string.Create(CultureInfo.InvariantCulture, $"schema {key.Id}"),
            static (client, key) => client.GetSchemaAsync(key.Id, key.Format!));
        _byGuid = Lookups<(string Guid, string? Format), Schema>(
            static key => $"schema {key.Guid}",
            static async (client, key) =>
            {
                try
                {
                    return await client.GetSchemaByGuidAsync(key.Guid, key.Format!).ConfigureAwait(false);
                }
                catch (SchemaRegistryException error) when (error.Status is HttpStatusCode.NotFound)
                {
                    throw new UnknownSchemaException($"the registry has no schema {key.Guid}", error);   // nor, maybe, this kind of id
                }
            });
        _byVersion = Lookups<(string Subject, int Version), RegisteredSchema>(
            static key => string.Create(CultureInfo.InvariantCulture, $"version {key.Version} of subject '{key.Subject}'"),
            static (client, key) => client.GetRegisteredSchemaAsync(key.Subject, key.Version, ignoreDeletedSchemas: false));
        _latest = Lookups<(string Subject, string Metadata), RegisteredSchema>(
            static key => key.Metadata.Length == 0 ? $"schema under subject '{key.Subject}'" : $"schema with {key.Metadata} under subject '{key.Subject}'",
            static (client, key) => key.Metadata.Length == 0
                ? client.GetLatestSchemaAsync(key.Subject)
                : client.GetLatestWithMetadataAsync(key.Subject, Split(key.Metadata), ignoreDeletedSchemas: false));
        _lookups = Lookups<(string Subject, Schema Schema, bool IgnoreDeleted, bool Normalize), RegisteredSchema>(
            static key => $"such schema under subject '{key.Subject}': {key.Schema.SchemaString}",
            static (client, key) => client.LookupSchemaAsync(key.Subject, key.Schema, key.IgnoreDeleted, key.Normalize));
        _registrations = new(key => RegisterAsync(key.Subject, key.Schema, key.Normalize), time, refusalLifetime);

        SharedLookups<TKey, T> Lookups<TKey, T>(Func<TKey, string> what, Func<ISchemaRegistryClient, TKey, Task<T>> ask)
            where TKey : notnull
            where T : Schema => new(key => LookAsync(what(key), client => ask(client, key)), time, refusalLifetime);
    }

    public override IEnumerable<KeyValuePair<string, string>> Config => _connection.Client.Config;

    public override IAuthenticationHeaderValueProvider AuthHeaderProvider => _connection.Client.AuthHeaderProvider;

    public override IWebProxy Proxy => _connection.Client.Proxy;

    public override int MaxCachedSchemas => _connection.Client.MaxCachedSchemas;

    public override Task<Schema> GetSchemaAsync(int id, string? format = null) => _byId.GetAsync((id, format));

    public override Task<Schema> GetSchemaByGuidAsync(string guid, string? format = null) => _byGuid.GetAsync((guid, format));

    public override Task<RegisteredSchema> GetRegisteredSchemaAsync(string subject, int version, bool ignoreDeletedSchemas = true) =>
        _byVersion.GetAsync((subject, version));

    public override Task<RegisteredSchema> GetLatestSchemaAsync(string subject) => _latest.GetAsync((subject, ""));

    public override Task<RegisteredSchema> GetLatestWithMetadataAsync(string subject, IDictionary<string, string> metadata, bool ignoreDeletedSchemas) =>
        _latest.GetAsync((subject, string.Join('\n', metadata.Select(static entry => $"{entry.Key}={entry.Value}"))));

    public override Task<RegisteredSchema> LookupSchemaAsync(string subject, Schema schema, bool ignoreDeletedSchemas, bool normalize = false) =>
        _lookups.GetAsync((subject, schema, ignoreDeletedSchemas, normalize));

    public override Task<RegisteredSchema> RegisterSchemaWithResponseAsync(string subject, Schema schema, bool normalize = false) =>
        _registrations.GetAsync((subject, schema, normalize));

    public override Task<bool> IsCompatibleAsync(string subject, Schema schema) =>
        _connection.AskAsync(client => client.IsCompatibleAsync(subject, schema), CancellationToken.None);

    public override Task<List<Association>> GetAssociationsByResourceNameAsync(
        string resourceName, string resourceNamespace, string resourceType, List<string> associationTypes, string lifecycle, int offset, int limit) =>
        _connection.AskAsync(
            async client =>
            {
                try
                {
                    return await client.GetAssociationsByResourceNameAsync(
                        resourceName, resourceNamespace, resourceType, associationTypes, lifecycle, offset, limit).ConfigureAwait(false);
                }
                catch (SchemaRegistryException error) when (error.Status is HttpStatusCode.NotFound)
                {
                    return [];   // most registries do not have associations
                }
            },
            CancellationToken.None);

    /// <summary>Adds a schema that is known, so that a serializer that writes with it does not ask.</summary>
    public void Remember(RegisteredSchema schema)
    {
        var body = schema.Schema;
        _byId.Remember((schema.Id, null), body);
        _lookups.Remember((schema.Subject, body, false, false), schema);
    }

    private async Task<T> LookAsync<T>(string what, Func<ISchemaRegistryClient, Task<T>> ask)
        where T : Schema
    {
        try
        {
            return await _connection.AskAsync(
                async client =>
                {
                    var found = await ask(client).ConfigureAwait(false);
                    return found?.SchemaString is null ? throw new FormatException("There is no schema in the answer.") : found;
                },
                CancellationToken.None).ConfigureAwait(false);
        }
        catch (Exception error) when (RegistryConnection.IsNotFound(error))
        {
            throw new UnknownSchemaException($"the registry {_connection.Address} has no {what}", error);
        }
    }

    private async Task<RegisteredSchema> RegisterAsync(string subject, Schema schema, bool normalize)
    {
        try
        {
            return await _connection.AskAsync(
                async client =>
                {
                    var registered = await client.RegisterSchemaWithResponseAsync(subject, schema, normalize).ConfigureAwait(false);
                    return registered is { Id: > 0 } ? registered : throw new FormatException("There is no id in the answer.");
                },
                CancellationToken.None).ConfigureAwait(false);
        }
        catch (Exception error) when (RegistryConnection.IsRefusal(error))
        {
            throw new SchemaMismatchException(
                $"The registry {_connection.Address} refused to register a schema under subject '{subject}': {error.Message.TrimEnd('.')}. "
                    + $"The schema is {schema.SchemaString}",
                subject,
                [],
                error);
        }
    }

    private static Dictionary<string, string> Split(string metadata) => metadata.Split('\n').Select(static entry => entry.Split('=', 2))
        .ToDictionary(static entry => entry[0], static entry => entry[1], StringComparer.Ordinal);
}
