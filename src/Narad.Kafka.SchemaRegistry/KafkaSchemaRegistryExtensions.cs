using Confluent.Kafka;
using Confluent.SchemaRegistry;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Narad.Kafka.SchemaRegistry;

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

    /// <inheritdoc cref="KafkaSchemaRegistry.WithSchema{T}"/>
    /// <param name="builder">The builder, after <c>AddSchemaRegistry</c>.</param>
    /// <param name="topic">The only topic that this is about; its schema is looked up at start. Default: every topic, each looked up at its first
    /// message.</param>
    /// <param name="subject">The subject. Default: the topic's real name and <c>-value</c>.</param>
    public static NaradKafkaBuilder WithSchema<T>(this NaradKafkaBuilder builder, string? topic = null, string? subject = null) =>
        Declare(builder, registry => registry.WithSchema<T>(topic, subject));

    /// <inheritdoc cref="KafkaSchemaRegistry.WithKeySchema{T}"/>
    /// <param name="builder">The builder, after <c>AddSchemaRegistry</c>.</param>
    /// <param name="topic">The only topic that this is about; its schema is looked up at start. Default: every topic.</param>
    /// <param name="subject">The subject. Default: the topic's real name and <c>-key</c>.</param>
    public static NaradKafkaBuilder WithKeySchema<T>(this NaradKafkaBuilder builder, string? topic = null, string? subject = null) =>
        Declare(builder, registry => registry.WithKeySchema<T>(topic, subject));

    /// <inheritdoc cref="KafkaSchemaRegistry.WithSerdes{T}"/>
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
    /// </summary>
    /// <param name="options">The settings, as complete as they will be.</param>
    /// <param name="registry">The registry, with its schemas declared. It is not disposed with the service.</param>
    /// <exception cref="KafkaConfigurationException">The settings of the registry have errors.</exception>
    public static KafkaOptions UseSchemaRegistry(this KafkaOptions options, KafkaSchemaRegistry registry)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(registry);
        string[] errors = [.. SchemaRegistryRules.Errors(registry.Options, options)];
        if (errors.Length > 0)
        {
            throw new KafkaConfigurationException(errors);
        }

        registry.Attach(options);
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
                registry.Attach(options);
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
