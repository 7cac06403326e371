using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Confluent.Kafka;
using Confluent.SchemaRegistry;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Narad.Kafka.SchemaRegistry;

namespace Narad.Kafka;

/// <summary>
/// Serializes and deserializes messages with schemas of a registry: JSON Schema in Confluent's wire format, and whatever Confluent's serializers write.
/// Types without a schema are
/// left to the serializer that was there before. Declare types before the service starts. Thread-safe after that. In a host,
/// <c>AddNaradKafka().AddSchemaRegistry(…)</c> creates it; elsewhere call
/// <see cref="KafkaSchemaRegistryExtensions.UseSchemaRegistry(KafkaOptions, KafkaSchemaRegistry)"/>, or set it as the
/// <see cref="SubscriptionOptions.Deserializer"/> of one subscription.
/// </summary>
public sealed class KafkaSchemaRegistry : IMessageSerializer, IMessageDeserializer, IDisposable
{
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly List<SchemaDeclaration> _declarations = [];
    private readonly Dictionary<Type, Func<ISchemaRegistryClient, SerdeAdapter>> _serdes = [];
    private volatile Attached? _attached;

    /// <summary>Creates the registry; asks for nothing yet.</summary>
    /// <param name="options">Where it is and how it is used; read when a service uses it.</param>
    /// <param name="time">The clock; default the system's.</param>
    /// <param name="logger">Default: nothing is logged.</param>
    public KafkaSchemaRegistry(SchemaRegistryOptions options, TimeProvider? time = null, ILogger<KafkaSchemaRegistry>? logger = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        Options = options;
        _time = time ?? TimeProvider.System;
        _logger = logger ?? (ILogger)NullLogger.Instance;
    }

    /// <summary>
    /// Confluent's client interface to the registry, with the address, credentials, TLS settings and time limit of the options. It caches nothing and tries
    /// nothing again; an answer of the registry that is an error is a <see cref="SchemaRegistryException"/>. Associations cannot be changed with it.
    /// </summary>
    /// <exception cref="KafkaConfigurationException">The options have errors.</exception>
    public ISchemaRegistryClient Client => Current.Connection.Client;

    internal SchemaRegistryOptions Options { get; }

    /// <summary>The mode of the service, where a host has one: mode Auto is decided when it connects.</summary>
    internal Func<KafkaMode>? Mode { get; set; }

    // Given to one subscription only, it is attached to no service.
    private Attached Current => _attached ?? Attach(Valid(new KafkaOptions()));

    /// <summary>Sends and reads messages of a type with the schema of their subject.</summary>
    /// <typeparam name="T">The type, as it is sent and as handlers take it.</typeparam>
    /// <param name="topic">The only topic that this is about; its schema is looked up at start. Default: every topic, each looked up at its first
    /// message.</param>
    /// <param name="subject">The subject. Default: the topic's real name and <c>-value</c>.</param>
    /// <param name="configure">How the type becomes JSON: see <see cref="KafkaSchemaRegistryExtensions.UseConfluentSerializer"/>.</param>
    public KafkaSchemaRegistry WithSchema<T>(string? topic = null, string? subject = null, Action<SchemaOptions<T>>? configure = null)
    {
        var options = new SchemaOptions<T>();
        configure?.Invoke(options);
        return Add(new SchemaDeclaration(typeof(T), topic, subject, IsKey: false, options.Confluent));
    }

    /// <summary>
    /// Writes and reads keys of a type with the schema of their subject, by <see cref="SerializeKeyAsync"/> and <see cref="DeserializeKeyAsync"/>.
    /// </summary>
    /// <typeparam name="T">The type.</typeparam>
    /// <param name="topic">The only topic that this is about; its schema is looked up at start. Default: every topic.</param>
    /// <param name="subject">The subject. Default: the topic's real name and <c>-key</c>.</param>
    public KafkaSchemaRegistry WithKeySchema<T>(string? topic = null, string? subject = null) =>
        Add(new SchemaDeclaration(typeof(T), topic, subject, IsKey: true));

    /// <summary>
    /// Sends and reads messages of a type with Confluent's serializers, such as those for Avro and Protobuf. They share the client of the registry.
    /// </summary>
    /// <typeparam name="T">The type.</typeparam>
    /// <param name="serializer">Creates the serializer; null where the type is only read.</param>
    /// <param name="deserializer">Creates the deserializer; null where the type is only sent.</param>
    public KafkaSchemaRegistry WithSerdes<T>(Func<ISchemaRegistryClient, IAsyncSerializer<T>>? serializer, Func<ISchemaRegistryClient,
        IAsyncDeserializer<T>>? deserializer)
    {
        ThrowIfAttached();
        _serdes[typeof(T)] = client => SerdeAdapter.Create(client, serializer, deserializer);
        return this;
    }

    /// <summary>Looks up (or registers) the schemas of all types that name a topic. A host does so at its start.</summary>
    /// <param name="cancellationToken">Stops the waiting.</param>
    /// <exception cref="KafkaConfigurationException">A type does not fit the schema of its subject; all of them in one message.</exception>
    /// <exception cref="SerializationUnavailableException">The registry does not answer, and <see cref="SchemaRegistryOptions.StartWithoutRegistry"/> is
    /// false.</exception>
    public async Task StartAsync(CancellationToken cancellationToken = default)
    {
        var current = Current;
        var errors = new List<string>();
        foreach (var declaration in _declarations.Where(static declaration => declaration.Topic is not null))
        {
            try
            {
                var topic = current.RealName(declaration.Topic!);
                var writer = await current.Schemas.WriterAsync(declaration, topic, cancellationToken).ConfigureAwait(false);
                RegistryLog.SchemaFound(_logger, writer.Subject, declaration.Type.Name, writer.Id, current.Connection.Address);
            }
            catch (SchemaMismatchException error)
            {
                errors.Add(error.Message);
            }
            catch (SerializationUnavailableException error) when (Options.StartWithoutRegistry)
            {
                RegistryLog.StartedWithoutRegistry(_logger, error.Message);
                return;
            }
        }

        if (errors.Count > 0)
        {
            throw new KafkaConfigurationException(errors);
        }
    }

    /// <summary>The JSON Schema of a type, as it is registered and checked.</summary>
    /// <param name="type">The type.</param>
    /// <param name="json">How the type becomes JSON. Default: camelCase, as <see cref="KafkaOptions.Json"/>.</param>
    /// <exception cref="NotSupportedException">The type has no JSON form, or the options do not know it.</exception>
    public static string SchemaOf(Type type, JsonSerializerOptions? json = null)
    {
        ArgumentNullException.ThrowIfNull(type);
        return JsonSchemaText.Of(type, json).ToJsonString();
    }

    /// <summary>Checks that a schema could be the next version of a subject. Registers nothing. A subject without a schema accepts every schema.</summary>
    /// <param name="subject">The subject, such as <c>orders-value</c>.</param>
    /// <param name="schema">The JSON Schema: <see cref="SchemaOf"/>.</param>
    /// <param name="cancellationToken">Stops the waiting.</param>
    /// <exception cref="SchemaMismatchException">The registry says that it is not compatible with the latest schema; the message says how they
    /// differ.</exception>
    /// <exception cref="SerializationUnavailableException">The registry does not answer.</exception>
    /// <exception cref="JsonException">The schema is not JSON.</exception>
    public async Task CheckAsync(string subject, string schema, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(subject);
        ArgumentNullException.ThrowIfNull(schema);
        if (await Current.Schemas.CheckAsync(subject, JsonNode.Parse(schema)!, "The schema", cancellationToken).ConfigureAwait(false) is { } mismatch)
        {
            throw mismatch;
        }
    }

    /// <summary>The bytes of a key, to be sent as <see cref="MessageKey"/>.</summary>
    /// <param name="topic">The topic, as the application names it.</param>
    /// <param name="key">The key.</param>
    /// <param name="cancellationToken">Stops the waiting.</param>
    /// <exception cref="SchemaValidationException">The key does not fit its schema.</exception>
    /// <exception cref="SchemaMismatchException">The type does not fit the schema of its subject.</exception>
    /// <exception cref="SerializationUnavailableException">The registry does not answer, and the schema is not known yet.</exception>
    /// <exception cref="InvalidOperationException">The type has no key schema for this topic.</exception>
    public async ValueTask<MessageKey> SerializeKeyAsync<T>(string topic, T key, CancellationToken cancellationToken = default)
        where T : notnull
    {
        ArgumentNullException.ThrowIfNull(topic);
        var real = Current.RealName(topic);
        var declaration = Find(typeof(T), real, isKey: true)
            ?? throw new InvalidOperationException(
                $"{typeof(T).Name} has no key schema for topic '{topic}': declare it with WithKeySchema<{typeof(T).Name}>().");
        var writer = await Current.Schemas.WriterAsync(declaration, real, cancellationToken).ConfigureAwait(false);
        return MessageKey.From(Write(writer, key, typeof(T)));
    }

    /// <summary>The key of a received message.</summary>
    /// <param name="context">The message's context.</param>
    /// <param name="cancellationToken">The handler's token.</param>
    /// <exception cref="MessageDeserializationException">The key was not written with a schema, or does not fit it.</exception>
    /// <exception cref="SerializationUnavailableException">The registry does not answer, and the schema is not known yet.</exception>
    public async ValueTask<T> DeserializeKeyAsync<T>(MessageContext context, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(context);
        return (T)(await ReadAsync(context.Key.ToBytes(), typeof(T), context, cancellationToken).ConfigureAwait(false))!;
    }

    /// <inheritdoc/>
    public ValueTask<byte[]> SerializeAsync(object message, Type type, string topic, MessageHeaders headers, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(message);
        var current = Current;
        if (Mode?.Invoke() is KafkaMode.Console)
        {
            return new(current.Json.Serialize(message, type));   // it is logged, not sent
        }

        if (current.Adapters.TryGetValue(type, out var adapter) && adapter.CanWrite)
        {
            return adapter.SerializeAsync(message, type, topic, headers, cancellationToken);
        }

        if (Find(type, topic, isKey: false) is not { } declaration)
        {
            return current.Serializer.SerializeAsync(message, type, topic, headers, cancellationToken);
        }

        var writer = current.Schemas.WriterAsync(declaration, topic, cancellationToken);
        if (declaration.Confluent is { } confluent)
        {
            return WriteAsync(confluent, writer, message, type, topic, headers, cancellationToken);
        }

        return writer.IsCompletedSuccessfully ? new(Write(writer.Result, message, type)) : WriteLaterAsync(writer, message, type);
    }

    /// <inheritdoc/>
    public ValueTask<object?> DeserializeAsync(ReadOnlyMemory<byte> data, Type type, MessageContext context, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(context);
        var current = Current;
        if (current.Adapters.TryGetValue(type, out var adapter) && adapter.CanRead)
        {
            return adapter.DeserializeAsync(data, type, context, cancellationToken);
        }

        // JSON trees are read in any case: for those who look at messages of any type.
        var declaration = Find(type, context.Topic, isKey: false) ?? Find(type, context.Original.Topic, isKey: false);
        return declaration?.Confluent is { } confluent ? ReadAsync(confluent, declaration, data, type, context, cancellationToken)
            : declaration is not null || (SchemaFrame.IsFramed(data.Span) && IsTree(type)) ? ReadAsync(data, type, context, cancellationToken)
            : current.Deserializer.DeserializeAsync(data, type, context, cancellationToken);
    }

    /// <summary>Closes the connections to the registry.</summary>
    public void Dispose() => _attached?.Connection.Dispose();

    /// <summary>Whether the environment of a service is Development.</summary>
    internal static bool IsDevelopment(KafkaOptions options)
    {
        string? name = null;
        foreach (var candidate in (ReadOnlySpan<string?>)[options.Environment, Environment.GetEnvironmentVariable("DOTNET_ENVIRONMENT"),
            Environment.GetEnvironmentVariable("ASPNETCORE_ENVIRONMENT")])
        {
            name ??= string.IsNullOrWhiteSpace(candidate) ? null : candidate.Trim();
        }

        return string.Equals(name, "Development", StringComparison.OrdinalIgnoreCase);
    }

    /// <summary>Makes itself the serializer of a service; what was there serves the types without a schema.</summary>
    internal void UseFor(KafkaOptions kafka)
    {
        if (_attached is null)
        {
            Attach(kafka);
            kafka.Serializer = this;
            kafka.Deserializer = this;
        }
    }

    internal KafkaSchemaRegistry Add(SchemaDeclaration declaration)
    {
        ThrowIfAttached();
        _declarations.Add(declaration);
        return this;
    }

    /// <summary>The service's options, if those of the registry go with them.</summary>
    /// <exception cref="KafkaConfigurationException">They have errors.</exception>
    internal KafkaOptions Valid(KafkaOptions kafka)
    {
        string[] errors = [.. SchemaRegistryRules.Errors(Options, kafka)];
        return errors.Length == 0 ? kafka : throw new KafkaConfigurationException(errors);
    }

    private Attached Attach(KafkaOptions kafka)
    {
        lock (_declarations)
        {
            if (_attached is not null)
            {
                return _attached;
            }

            var registration = Options.Registration ?? (IsDevelopment(kafka) || RegistryAddress.IsMemory(Options.Url)
                ? SchemaRegistration.Register
                : SchemaRegistration.UseLatestVersion);
            var connection = new RegistryConnection(Options, kafka, _time);
            var schemas = new RegisteredSchemas(connection, kafka.Json, Options, registration, _time);
            var json = new JsonMessageSerializer(kafka.Json);
            var names = new Dictionary<string, string>(kafka.TopicNames, StringComparer.Ordinal);
            return _attached = new Attached(
                connection,
                schemas,
                json,
                kafka.Serializer ?? json,
                kafka.Deserializer ?? json,
                names,
                [.. _declarations.Select(one => (one, one.Topic is { } topic ? names.GetValueOrDefault(topic, topic) : null))],
                new LazyAdapters(_serdes, schemas.Client));
        }
    }

    private void ThrowIfAttached()
    {
        if (_attached is not null)
        {
            throw new InvalidOperationException("A Kafka service uses this schema registry already: declare schemas before that.");
        }
    }

    // A declaration for the topic goes before one for every topic. There are few.
    private SchemaDeclaration? Find(Type type, string topic, bool isKey)
    {
        SchemaDeclaration? general = null;
        foreach (var (declaration, realTopic) in Current.Declarations)
        {
            if (declaration.Type != type || declaration.IsKey != isKey)
            {
                continue;
            }

            if (realTopic is null)
            {
                general = declaration;
            }
            else if (string.Equals(realTopic, topic, StringComparison.Ordinal))
            {
                return declaration;
            }
        }

        return general;
    }

    private byte[] Write(RegisteredSchemas.WriterSchema writer, object message, Type type)
    {
        var json = Current.Json.Serialize(message, type);
        ThrowIfNotFitting(writer, json);
        return SchemaFrame.Write(writer.Id, json);
    }

    private async ValueTask<byte[]> WriteLaterAsync(ValueTask<RegisteredSchemas.WriterSchema> writer, object message, Type type) =>
        Write(await writer.ConfigureAwait(false), message, type);

    private ValueTask<object?> ReadAsync(ReadOnlyMemory<byte> data, Type type, MessageContext context, CancellationToken cancellationToken)
    {
        if (!SchemaFrame.IsFramed(data.Span))
        {
            throw new MessageDeserializationException(context, type, SchemaFrame.WhatIsWrong(data.Span));
        }

        var id = SchemaFrame.IdOf(data);
        var reader = Current.Schemas.ReaderAsync(id, cancellationToken);
        return reader.IsCompletedSuccessfully ? new(Read(reader.Result, id, data, type, context))
            : ReadLaterAsync(reader, id, data, type, context, cancellationToken);
    }

    private async ValueTask<object?> ReadLaterAsync(
        ValueTask<RegisteredSchemas.ReaderSchema> reader, int id, ReadOnlyMemory<byte> data, Type type, MessageContext context,
            CancellationToken cancellationToken) =>
        Read(await FoundAsync(reader, type, context, cancellationToken).ConfigureAwait(false), id, data, type, context);

    private async ValueTask<RegisteredSchemas.ReaderSchema> FoundAsync(
        ValueTask<RegisteredSchemas.ReaderSchema> reader, Type type, MessageContext context, CancellationToken cancellationToken)
    {
        try
        {
            return await reader.ConfigureAwait(false);
        }
        catch (UnknownSchemaException unknown)
        {
            throw new MessageDeserializationException(context, type, unknown.Message, unknown);
        }
        catch (OperationCanceledException cancelled) when (cancellationToken.IsCancellationRequested)
        {
            // The time limit of the handler ended the waiting: that is not the message's fault.
            throw new SerializationUnavailableException(
                $"The schema registry {Current.Connection.Address} did not answer before the time limit of the handler.", Options.RetryDelay, cancelled);
        }
    }

    private object? Read(RegisteredSchemas.ReaderSchema reader, int id, ReadOnlyMemory<byte> data, Type type, MessageContext context)
    {
        var json = data[SchemaFrame.Length..];
        ThrowIfNotFitting(reader, id, json, type, context);
        return Current.Json.Deserialize(json.Span, type);
    }

    private void ThrowIfNotFitting(RegisteredSchemas.ReaderSchema reader, int id, ReadOnlyMemory<byte> json, Type type, MessageContext context)
    {
        if (reader.Schema is not { } schema)
        {
            throw new MessageDeserializationException(context, type,
                string.Create(CultureInfo.InvariantCulture, $"schema {id} cannot be used, {reader.Error}"));
        }

        if (Options.Validate && !reader.EncodesBytes && schema.Validate(json) is { Count: > 0 } paths)
        {
            throw new MessageDeserializationException(context, type,
                string.Create(CultureInfo.InvariantCulture, $"it does not fit its schema {id} at {string.Join(", ", paths)}"));
        }
    }

    private async ValueTask<byte[]> WriteAsync(
        ConfluentJson confluent, ValueTask<RegisteredSchemas.WriterSchema> found, object message, Type type, string topic, MessageHeaders headers,
        CancellationToken cancellationToken)
    {
        var writer = await found.ConfigureAwait(false);
        var bytes = await confluent.Serializer(Current.Schemas, writer, Options.Validate)
            .SerializeAsync(message, type, topic, headers, cancellationToken).ConfigureAwait(false);
        ThrowIfNotFitting(writer, bytes.AsMemory(confluent.WritesIdToHeader ? 0 : SchemaFrame.Length));
        return bytes;
    }

    private async ValueTask<object?> ReadAsync(
        ConfluentJson confluent, SchemaDeclaration declaration, ReadOnlyMemory<byte> data, Type type, MessageContext context,
        CancellationToken cancellationToken)
    {
        var schemas = Current.Schemas;
        if (SchemaFrame.IsFramed(data.Span) && !SchemaFrame.IsInHeader(context))
        {
            var id = SchemaFrame.IdOf(data);
            var reader = await FoundAsync(schemas.ReaderAsync(id, cancellationToken), type, context, cancellationToken).ConfigureAwait(false);
            ThrowIfNotFitting(reader, id, data[SchemaFrame.Length..], type, context);
        }

        return await confluent.Deserializer(schemas, declaration.SubjectOf(context.Original.Topic))
            .DeserializeAsync(data, type, context, cancellationToken).ConfigureAwait(false);
    }

    private void ThrowIfNotFitting(RegisteredSchemas.WriterSchema writer, ReadOnlyMemory<byte> json)
    {
        if (Options.Validate && !writer.EncodesBytes && writer.Schema.Validate(json) is { Count: > 0 } paths)
        {
            throw new SchemaValidationException(writer.Subject, writer.Id, paths);
        }
    }

    private static bool IsTree(Type type) => type == typeof(JsonElement) || type == typeof(JsonNode) || type == typeof(JsonDocument);

    /// <summary>What it needs since a service uses it.</summary>
    private sealed record Attached(
        RegistryConnection Connection,
        RegisteredSchemas Schemas,
        JsonMessageSerializer Json,
        IMessageSerializer Serializer,
        IMessageDeserializer Deserializer,
        Dictionary<string, string> TopicNames,
        (SchemaDeclaration Declaration, string? RealTopic)[] Declarations,
        LazyAdapters Adapters)
    {
        public string RealName(string topic) => TopicNames.GetValueOrDefault(topic, topic);
    }

    /// <summary>Adapters that are created when they are needed: creating one creates the client.</summary>
    private sealed class LazyAdapters(Dictionary<Type, Func<ISchemaRegistryClient, SerdeAdapter>> factories, ISchemaRegistryClient client)
    {
        private readonly Dictionary<Type, Lazy<SerdeAdapter>> _adapters = factories.ToDictionary(
            static entry => entry.Key, entry => new Lazy<SerdeAdapter>(() => entry.Value(client)));

        public bool TryGetValue(Type type, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out SerdeAdapter? adapter)
        {
            adapter = _adapters.Count > 0 && _adapters.TryGetValue(type, out var found) ? found.Value : null;
            return adapter is not null;
        }
    }
}
