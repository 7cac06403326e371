using Confluent.Kafka;
using Confluent.SchemaRegistry;
using Confluent.SchemaRegistry.Serdes;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Narad.Kafka.SchemaRegistry;
using NJsonSchema.NewtonsoftJson.Generation;

namespace Narad.Kafka;

/// <summary>Messages with schemas of a registry.</summary>
public static class KafkaSchemaRegistryExtensions
{
    /// <summary>Adds a schema registry with the settings of the section <c>Kafka:SchemaRegistry</c> of the host's configuration.</summary>
    /// <param name="builder">The builder.</param>
    /// <param name="configure">Changes the settings.</param>
    public static NaradKafkaBuilder AddSchemaRegistry(this NaradKafkaBuilder builder, Action<SchemaRegistryOptions>? configure = null) =>
        Add(builder, section: null, configure);

    /// <summary>Adds a schema registry by its address; other settings come from the section <c>Kafka:SchemaRegistry</c> of the host's configuration.</summary>
    /// <param name="builder">The builder.</param>
    /// <param name="url">See <see cref="SchemaRegistryOptions.Url"/>.</param>
    /// <param name="configure">Changes the settings.</param>
    public static NaradKafkaBuilder AddSchemaRegistry(this NaradKafkaBuilder builder, string url, Action<SchemaRegistryOptions>? configure = null)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(url);
        return Add(builder, section: null, options =>
        {
            options.Url = url;
            configure?.Invoke(options);
        });
    }

    /// <summary>Adds a schema registry with the settings of a section.</summary>
    /// <param name="builder">The builder.</param>
    /// <param name="section">The section.</param>
    /// <param name="configure">Changes the settings.</param>
    public static NaradKafkaBuilder AddSchemaRegistry(this NaradKafkaBuilder builder, IConfigurationSection section,
        Action<SchemaRegistryOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(section);
        return Add(builder, section, configure);
    }

    /// <summary>Sends and reads messages of a type with the schema of their subject: see <see cref="KafkaSchemaRegistry.WithSchema{T}"/>.</summary>
    /// <typeparam name="T">The type, as it is sent and as handlers take it.</typeparam>
    /// <param name="builder">The builder, after <c>AddSchemaRegistry</c>.</param>
    /// <param name="topic">The only topic that this is about; its schema is looked up at start. Default: every topic, each looked up at its first
    /// message.</param>
    /// <param name="subject">The subject. Default: the topic's real name and <c>-value</c>.</param>
    /// <param name="configure">How the type becomes JSON: see <see cref="UseConfluentSerializer"/>.</param>
    public static NaradKafkaBuilder WithSchema<T>(
        this NaradKafkaBuilder builder, string? topic = null, string? subject = null, Action<SchemaOptions<T>>? configure = null) =>
        Declare(builder, registry => registry.WithSchema(topic, subject, configure));

    /// <summary>
    /// Writes and reads the messages with Confluent's <see cref="JsonSerializer{T}"/> and <see cref="JsonDeserializer{T}"/>, which use Newtonsoft.Json. Choose
    /// this for the rules of data contracts, migrations between versions, or types with Newtonsoft's attributes. <see cref="KafkaOptions.Json"/> is not used.
    /// Which schema is used, validation, and what happens while the registry is unavailable, are the same as without it.
    /// </summary>
    /// <param name="schema">The options of <c>WithSchema</c>.</param>
    /// <param name="serializer">
    /// The serializer's configuration. What chooses the subject or the schema is refused: <c>WithSchema</c> and <see cref="SchemaRegistryOptions"/> do that.
    /// <see cref="JsonSerializerConfig.Validate"/> is false by default, because messages are validated anyway.
    /// </param>
    /// <param name="deserializer">The deserializer's configuration; <see cref="JsonDeserializerConfig.UseLatestVersion"/> migrates what is read.</param>
    /// <param name="newtonsoft">How the schema of the type is generated, and Newtonsoft's settings. Default: names as the type has them.</param>
    /// <param name="rules">The rules' executors. Default: <see cref="RuleRegistry.GlobalInstance"/>.</param>
    /// <exception cref="ArgumentException">The configuration sets something that is decided elsewhere; the message says where.</exception>
    public static SchemaOptions<T> UseConfluentSerializer<T>(
        this SchemaOptions<T> schema, JsonSerializerConfig? serializer = null, JsonDeserializerConfig? deserializer = null,
        NewtonsoftJsonSchemaGeneratorSettings? newtonsoft = null, RuleRegistry? rules = null)
        where T : class
    {
        ArgumentNullException.ThrowIfNull(schema);
        schema.Confluent = new ConfluentJson<T>(serializer, deserializer, newtonsoft, rules);
        return schema;
    }

    /// <summary>Writes and reads keys of a type with the schema of their subject: see <see cref="KafkaSchemaRegistry.WithKeySchema{T}"/>.</summary>
    /// <typeparam name="T">The type, as it is sent and as handlers take it.</typeparam>
    /// <param name="builder">The builder, after <c>AddSchemaRegistry</c>.</param>
    /// <param name="topic">The only topic that this is about; its schema is looked up at start. Default: every topic.</param>
    /// <param name="subject">The subject. Default: the topic's real name and <c>-key</c>.</param>
    public static NaradKafkaBuilder WithKeySchema<T>(this NaradKafkaBuilder builder, string? topic = null, string? subject = null) =>
        Declare(builder, registry => registry.WithKeySchema<T>(topic, subject));

    /// <summary>Sends and reads messages of a type with serializers of Confluent's kind: see <see cref="KafkaSchemaRegistry.WithSerdes{T}"/>.</summary>
    /// <typeparam name="T">The type, as it is sent and as handlers take it.</typeparam>
    /// <param name="builder">The builder, after <c>AddSchemaRegistry</c>.</param>
    /// <param name="serializer">Creates the serializer; null where the type is only read.</param>
    /// <param name="deserializer">Creates the deserializer; null where the type is only sent.</param>
    public static NaradKafkaBuilder WithSerdes<T>(
        this NaradKafkaBuilder builder, Func<ISchemaRegistryClient, IAsyncSerializer<T>>? serializer, Func<ISchemaRegistryClient,
            IAsyncDeserializer<T>>? deserializer) =>
        Declare(builder, registry => registry.WithSerdes(serializer, deserializer));

    /// <summary>
    /// Lets the start fail where a type's schema is not compatible with the latest one of its subject: see <see
    /// cref="SchemaRegistryOptions.CheckCompatibility"/>.
    /// </summary>
    /// <param name="builder">The builder, after <c>AddSchemaRegistry</c>.</param>
    public static NaradKafkaBuilder CheckCompatibility(this NaradKafkaBuilder builder) =>
        Declare(builder, static registry => registry.Options.CheckCompatibility = true);

    /// <summary>
    /// Without a host: uses a registry for the messages of a service. Call <see cref="KafkaSchemaRegistry.StartAsync"/> after it to find schemas early.
    /// In mode Console, where messages are logged as plain JSON, it changes nothing.
    /// </summary>
    /// <param name="options">The settings, as complete as they will be.</param>
    /// <param name="registry">The registry, with its schemas declared. It is not disposed with the service.</param>
    /// <exception cref="KafkaConfigurationException">The settings of the registry have errors.</exception>
    public static KafkaOptions UseSchemaRegistry(this KafkaOptions options, KafkaSchemaRegistry registry)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(registry);
        if (registry.Valid(options).Mode is not KafkaMode.Console)
        {
            registry.UseFor(options);
        }

        return options;
    }

    private static NaradKafkaBuilder Add(NaradKafkaBuilder builder, IConfigurationSection? section, Action<SchemaRegistryOptions>? configure)
    {
        ArgumentNullException.ThrowIfNull(builder);
        var services = builder.Services;
        if (IsAdded(services))
        {
            throw new InvalidOperationException("AddSchemaRegistry was called before for this service: call it once, and declare all schemas with WithSchema.");
        }

        services.AddSingleton(provider =>
        {
            var options = new SchemaRegistryOptions();
            if ((section ?? provider.GetService<IConfiguration>()?.GetSection("Kafka:SchemaRegistry")) is { } source)
            {
                SchemaRegistrySection.Apply(options, source);
            }

            configure?.Invoke(options);
            var registry = new KafkaSchemaRegistry(options, provider.GetService<TimeProvider>(), provider.GetService<ILogger<KafkaSchemaRegistry>>());
            IKafkaService? service = null;
            registry.Mode = () => (service ??= provider.GetRequiredService<IKafkaService>()).Mode;
            foreach (var declaration in provider.GetServices<Declaration>())
            {
                declaration.Apply(registry);
            }

            return registry;
        });

        // In Console mode messages are logged, not sent: they are logged as plain JSON, and no registry is needed.
        services.AddOptions<KafkaOptions>().PostConfigure<KafkaSchemaRegistry>(static (options, registry) =>
        {
            if (options.Mode is not KafkaMode.Console)
            {
                registry.UseFor(options);
            }
        });
        services.AddSingleton<IValidateOptions<KafkaOptions>, SchemaRegistryRules>();
        services.AddHostedService<RegistryStartup>();
        return builder;
    }

    private static NaradKafkaBuilder Declare(NaradKafkaBuilder builder, Action<KafkaSchemaRegistry> apply)
    {
        ArgumentNullException.ThrowIfNull(builder);
        if (!IsAdded(builder.Services))
        {
            throw new InvalidOperationException("There is no schema registry yet: call AddSchemaRegistry first.");
        }

        builder.Services.AddSingleton(new Declaration(apply));
        return builder;
    }

    private static bool IsAdded(IServiceCollection services) => services.Any(static service => service.ServiceType == typeof(KafkaSchemaRegistry));

    /// <summary>What was declared on the builder.</summary>
    private sealed record Declaration(Action<KafkaSchemaRegistry> Apply);
}
