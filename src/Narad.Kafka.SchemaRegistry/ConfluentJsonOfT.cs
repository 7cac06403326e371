using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using Confluent.SchemaRegistry;
using Confluent.SchemaRegistry.Serdes;
using NJsonSchema.NewtonsoftJson.Generation;

namespace Narad.Kafka.SchemaRegistry;

/// <inheritdoc/>
/// <typeparam name="T">The type.</typeparam>
internal sealed class ConfluentJson<T> : ConfluentJson
    where T : class
{
    private readonly JsonSerializerConfig _serializer;
    private readonly JsonDeserializerConfig _deserializer;
    private readonly NewtonsoftJsonSchemaGeneratorSettings _newtonsoft;
    private readonly RuleRegistry? _rules;
    private readonly Lazy<JsonObject> _schema;

    // One for each schema and each subject: an instance makes the sends of all its subjects wait while it looks one of them up.
    private readonly ConcurrentDictionary<RegisteredSchemas.WriterSchema, SerdeAdapter> _serializers = new();
    private readonly ConcurrentDictionary<string, SerdeAdapter> _deserializers = new(StringComparer.Ordinal);

    public ConfluentJson(
        JsonSerializerConfig? serializer, JsonDeserializerConfig? deserializer, NewtonsoftJsonSchemaGeneratorSettings? newtonsoft, RuleRegistry? rules)
    {
        _serializer = serializer ?? [];
        _deserializer = deserializer ?? [];
        _newtonsoft = newtonsoft ?? new NewtonsoftJsonSchemaGeneratorSettings();
        _rules = rules;
        _schema = new(() => JsonNode.Parse(NewtonsoftJsonSchemaGenerator.FromType<T>(_newtonsoft).ToJson())!.AsObject());
        foreach (var name in (ReadOnlySpan<string>)[
            JsonSerializerConfig.PropertyNames.AutoRegisterSchemas, JsonSerializerConfig.PropertyNames.UseLatestVersion,
            JsonSerializerConfig.PropertyNames.LatestCompatibilityStrict, JsonSerializerConfig.PropertyNames.UseSchemaId,
            JsonSerializerConfig.PropertyNames.UseLatestWithMetadata, JsonSerializerConfig.PropertyNames.NormalizeSchemas])
        {
            if (_serializer.Any(setting => string.Equals(setting.Key, name, StringComparison.Ordinal)))
            {
                throw new ArgumentException(
                    $"The serializer's configuration sets {name}. Remove it: Kafka:SchemaRegistry:Registration decides which schema is used, and "
                        + "Kafka:SchemaRegistry:CheckCompatibility whether it is checked.",
                    nameof(serializer));
            }
        }

        foreach (var (name, isSet) in ((string, bool)[])[
            (JsonSerializerConfig.PropertyNames.SubjectNameStrategy, _serializer.SubjectNameStrategy is not null),
            (JsonDeserializerConfig.PropertyNames.SubjectNameStrategy, _deserializer.SubjectNameStrategy is not null)])
        {
            if (isSet)
            {
                throw new ArgumentException($"The configuration sets {name}. Remove it: name the subject in WithSchema.", nameof(serializer));
            }
        }
    }

    public override JsonObject Schema => _schema.Value;

    public override bool WritesIdToHeader => _serializer.SchemaIdStrategy is SchemaIdSerializerStrategy.Header;

    public override SerdeAdapter Serializer(RegisteredSchemas schemas, RegisteredSchemas.WriterSchema writer, bool validate) =>
        _serializers.GetOrAdd(
            writer,
            static (writer, state) =>
            {
                var (self, schemas, validate) = state;
                schemas.Client.Remember(writer.Registered);
                var config = new JsonSerializerConfig(self._serializer)
                {
                    AutoRegisterSchemas = false,
                    UseSchemaId = writer.Id,

                    // What is sent is validated here, in every draft, unless rules make something else of the JSON.
                    Validate = self._serializer.Validate ?? (validate && writer.EncodesBytes),
                };
                return SerdeAdapter.Create<T>(
                    schemas.Client, client => new SubjectSerializer(client, writer.Subject, config, self._newtonsoft, self._rules), deserializer: null);
            },
            (this, schemas, validate));

    public override SerdeAdapter Deserializer(RegisteredSchemas schemas, string subject) =>
        _deserializers.GetOrAdd(
            subject,
            static (subject, state) =>
            {
                var (self, schemas) = state;
                var config = new JsonDeserializerConfig(self._deserializer) { Validate = self._deserializer.Validate ?? false };
                return SerdeAdapter.Create<T>(
                    schemas.Client, serializer: null, client => new SubjectDeserializer(client, subject, config, self._newtonsoft, self._rules));
            },
            (this, schemas));

    // Confluent's strategies know no name that the application chose, and the default one asks the registry first.
    private sealed class SubjectSerializer : JsonSerializer<T>
    {
        public SubjectSerializer(
            ISchemaRegistryClient client, string subject, JsonSerializerConfig config, NewtonsoftJsonSchemaGeneratorSettings newtonsoft, RuleRegistry? rules)
            : base(client, config, newtonsoft, rules) => subjectNameStrategy = (_, _) => Task.FromResult(subject);
    }

    private sealed class SubjectDeserializer : JsonDeserializer<T>
    {
        public SubjectDeserializer(
            ISchemaRegistryClient client, string subject, JsonDeserializerConfig config, NewtonsoftJsonSchemaGeneratorSettings newtonsoft, RuleRegistry? rules)
            : base(client, config, newtonsoft, rules) => subjectNameStrategy = (_, _) => Task.FromResult(subject);
    }
}
