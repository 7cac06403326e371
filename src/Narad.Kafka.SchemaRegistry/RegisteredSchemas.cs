using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Confluent.SchemaRegistry;
using Json.Schema;

namespace Narad.Kafka.SchemaRegistry;

/// <summary>
/// Finds the schemas that messages are written and read with, and keeps them for good: what is known does not need the registry again. Thread-safe.
/// </summary>
internal sealed class RegisteredSchemas
{
    private const int DeepestReference = 8;
    private const int LongestShown = 2_000;

    private readonly RegistryConnection _connection;
    private readonly JsonSerializerOptions? _json;
    private readonly SchemaRegistration _registration;
    private readonly bool _checksCompatibility;
    private readonly SharedLookups<(SchemaDeclaration Declaration, string Topic), WriterSchema> _writers;
    private readonly SharedLookups<int, ReaderSchema> _readers;

    public RegisteredSchemas(RegistryConnection connection, JsonSerializerOptions? json, SchemaRegistryOptions options, SchemaRegistration registration,
        TimeProvider time)
    {
        _connection = connection;
        Client = new ResilientRegistryClient(connection, time, options.RetryDelay);
        _json = json;
        _registration = registration;
        _checksCompatibility = options.CheckCompatibility;
        _writers = new(key => FindWriterAsync(key.Declaration, key.Declaration.SubjectOf(key.Topic)), time, options.RetryDelay);
        _readers = new(FindReaderAsync, time, options.RetryDelay);
    }

    /// <summary>The registry, for serializers.</summary>
    public ResilientRegistryClient Client { get; }

    /// <summary>The schema that a type is written with to a topic, by its real name.</summary>
    /// <exception cref="SchemaMismatchException">The subject has none that the type fits.</exception>
    /// <exception cref="SerializationUnavailableException">The registry does not answer, and it is not known yet.</exception>
    public ValueTask<WriterSchema> WriterAsync(SchemaDeclaration declaration, string topic, CancellationToken cancellationToken)
    {
        if (declaration.First is { } first && string.Equals(first.Topic, topic, StringComparison.Ordinal))
        {
            return new(first.Schema);
        }

        if (_writers.TryGet((declaration, topic), out var known))
        {
            declaration.First ??= new(topic, known);
            return new(known);
        }

        return new(_writers.GetAsync((declaration, topic), cancellationToken));
    }

    /// <summary>The schema with an id, as a message that was received names it.</summary>
    /// <exception cref="SerializationUnavailableException">The registry does not answer, and it is not known yet.</exception>
    public ValueTask<ReaderSchema> ReaderAsync(int id, CancellationToken cancellationToken) => _readers.TryGet(id, out var known) ? new(known)
        : new(_readers.GetAsync(id, cancellationToken));

    /// <summary>Whether a schema could be the next version of a subject: how it differs from the latest one; null where the registry accepts it.</summary>
    public async Task<SchemaMismatchException?> CheckAsync(string subject, JsonNode schema, string what, CancellationToken cancellationToken)
    {
        if (await LatestAsync(subject, cancellationToken).ConfigureAwait(false) is not { } latest)
        {
            return null;
        }

        var candidate = new Schema(schema.ToJsonString(), SchemaType.Json);
        bool isCompatible;
        Exception? refusal = null;
        try
        {
            isCompatible = await _connection.AskAsync(client => client.IsCompatibleAsync(subject, candidate), cancellationToken).ConfigureAwait(false);
        }
        catch (Exception error) when (RegistryConnection.IsRefusal(error))
        {
            isCompatible = false;
            refusal = error;
        }

        return isCompatible ? null : Mismatch(subject, schema, latest, $"{what} is not compatible with the latest schema of subject '{subject}'", all: true,
            refusal);
    }

    private async Task<WriterSchema> FindWriterAsync(SchemaDeclaration declaration, string subject)
    {
        var own = declaration.Confluent?.Schema ?? JsonSchemaText.Of(declaration.Type, _json);
        if (_checksCompatibility && await CheckAsync(subject, own, $"The schema of {declaration}",
            CancellationToken.None).ConfigureAwait(false) is { } mismatch)
        {
            throw mismatch;
        }

        var latest = await LatestAsync(subject, CancellationToken.None).ConfigureAwait(false);
        return _registration is SchemaRegistration.Register
            ? await RegisterAsync(declaration, subject, own, latest).ConfigureAwait(false)
            : await UseAsync(declaration, subject, own, latest).ConfigureAwait(false);
    }

    private async Task<WriterSchema> UseAsync(SchemaDeclaration declaration, string subject, JsonObject own, RegisteredSchema? latest)
    {
        if (latest is null)
        {
            throw new SchemaMismatchException(
                $"Subject '{subject}' has no schema in the registry {_connection.Address}, and {declaration} is sent with the latest one. Register a "
                    + "schema, or set Kafka:SchemaRegistry:Registration to "
                + $"{nameof(SchemaRegistration.Register)}. The schema of the type is {Shown(own.ToJsonString())}",
                subject,
                []);
        }

        var compiled = await CompileAsync(latest).ConfigureAwait(false);
        if (compiled.Schema is not { } schema)
        {
            throw new SchemaMismatchException(
                $"The latest schema of subject '{subject}' (id {Text(latest.Id)}) cannot be used for {declaration}: {compiled.Error}.", subject, []);
        }

        return SchemaDifferences.ThatBreak(own, schema.Document).Count == 0
            ? new WriterSchema(latest, schema)
            : throw Mismatch(subject, own, latest, $"The {declaration} does not fit the latest schema of subject '{subject}'", all: false);
    }

    private async Task<WriterSchema> RegisterAsync(SchemaDeclaration declaration, string subject, JsonObject own, RegisteredSchema? latest)
    {
        // A schema written by hand, with other words for the same, stays the latest.
        if (latest is not null && (await CompileAsync(latest).ConfigureAwait(false)).Schema is { } same && SchemaDifferences.All(own, same.Document).Count == 0)
        {
            return new WriterSchema(latest, same);
        }

        var text = own.ToJsonString();
        try
        {
            var answer = await Client.RegisterSchemaWithResponseAsync(subject, new Schema(text, SchemaType.Json)).ConfigureAwait(false);
            return new WriterSchema(
                new RegisteredSchema(subject, version: 0, answer.Id, answer.Guid, text, SchemaType.Json, []), CompiledSchema.Parse(text));
        }
        catch (SchemaMismatchException error)
        {
            throw Mismatch(subject, own, latest,
                $"The registry {_connection.Address} refused to register the schema of {declaration} under subject '{subject}'", all: true,
                error.InnerException);
        }
    }

    private async Task<RegisteredSchema?> LatestAsync(string subject, CancellationToken cancellationToken)
    {
        try
        {
            return await _connection.AskAsync(
                async client =>
                {
                    var latest = await client.GetLatestSchemaAsync(subject).ConfigureAwait(false);
                    return latest?.SchemaString is null ? throw new FormatException("There is no schema in the answer.") : latest;
                },
                cancellationToken).ConfigureAwait(false);
        }
        catch (Exception error) when (RegistryConnection.IsNotFound(error))
        {
            return null;
        }
    }

    private async Task<ReaderSchema> FindReaderAsync(int id) =>
        await CompileAsync(await Client.GetSchemaAsync(id).ConfigureAwait(false)).ConfigureAwait(false);

    private async Task<ReaderSchema> CompileAsync(Schema schema)
    {
        if (schema.SchemaType is not SchemaType.Json && !schema.SchemaString.TrimStart().StartsWith('{'))
        {
            return new ReaderSchema(null, $"it is a schema of type {schema.SchemaType}, not JSON");
        }

        var references = new List<(string Name, string Text)>();
        await AddReferencesAsync(schema, references, DeepestReference).ConfigureAwait(false);
        try
        {
            return new ReaderSchema(CompiledSchema.Parse(schema.SchemaString, references), null) { EncodesBytes = EncodesBytes(schema) };
        }
        catch (Exception error) when (error is JsonException or JsonSchemaException or RefResolutionException or ArgumentException or InvalidOperationException)
        {
            return new ReaderSchema(null, $"it is no JSON Schema that can be used: {error.Message.TrimEnd('.')}");
        }
    }

    // What a referenced schema refers to must be known before it.
    private async Task AddReferencesAsync(Schema schema, List<(string Name, string Text)> references, int depth)
    {
        foreach (var reference in depth == 0 ? [] : schema.References ?? [])
        {
            var referenced = await Client.GetRegisteredSchemaAsync(reference.Subject, reference.Version, ignoreDeletedSchemas: false).ConfigureAwait(false);
            await AddReferencesAsync(referenced, references, depth - 1).ConfigureAwait(false);
            if (!references.Exists(known => string.Equals(known.Name, reference.Name, StringComparison.Ordinal)))
            {
                references.Add((reference.Name, referenced.SchemaString));
            }
        }
    }

    private SchemaMismatchException Mismatch(string subject, JsonNode own, RegisteredSchema? latest, string what, bool all, Exception? cause = null)
    {
        JsonNode? registered;
        try
        {
            registered = latest is null ? null : JsonNode.Parse(latest.SchemaString);
        }
        catch (JsonException)
        {
            registered = null;
        }

        var differences = registered is null ? [] : all ? SchemaDifferences.All(own, registered) : SchemaDifferences.ThatBreak(own, registered);
        var how = differences.Count == 0 ? "No difference of properties or types was found; compare the schemas" : string.Join("; ", differences);
        var which = latest is null ? "Nothing is registered there"
            : $"Registered is id {Text(latest.Id)}, version {Text(latest.Version)}: {Shown(latest.SchemaString)}";
        return new SchemaMismatchException($"{what}. {how}. The schema of the type is {Shown(own.ToJsonString())}. {which}", subject, differences, cause);
    }

    private static string Shown(string schema) => schema.Length > LongestShown ? schema[..LongestShown] + "…" : schema;

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);

    // Rules of this phase work on the bytes: what is sent need not be JSON.
    private static bool EncodesBytes(Schema schema) => schema.RuleSet?.EncodingRules is { Count: > 0 };

    /// <summary>What a type is written with.</summary>
    internal sealed class WriterSchema(RegisteredSchema registered, CompiledSchema schema)
    {
        public RegisteredSchema Registered { get; } = registered;

        public int Id { get; } = registered.Id;

        public string Subject => Registered.Subject;

        public CompiledSchema Schema { get; } = schema;

        /// <summary>Whether rules of the schema change the bytes after the JSON was written.</summary>
        public bool EncodesBytes { get; } = RegisteredSchemas.EncodesBytes(registered);
    }

    /// <summary>What an id stands for: a schema, or why it cannot be used.</summary>
    internal sealed record ReaderSchema(CompiledSchema? Schema, string? Error)
    {
        /// <summary>Whether rules of the schema change the bytes after the JSON was written.</summary>
        public bool EncodesBytes { get; init; }
    }
}
