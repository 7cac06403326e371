using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Narad.Kafka;
using Narad.Kafka.Configuration;
using Narad.Kafka.Diagnostics;
using Narad.Kafka.Outbox;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>The one line.</summary>
public static class NaradKafkaServiceCollectionExtensions
{
    // Whether this thread creates a service just now.
    [ThreadStatic]
    private static bool s_creating;

    /// <summary>
    /// Adds <see cref="IKafkaService"/> and <see cref="IKafkaProducer"/> (one singleton, connected at the host's start, disconnected at its stop) from the
    /// <c>KAFKA_*</c> variables, the section <c>Kafka</c> of the host's <see cref="IConfiguration"/> and code; code beats configuration beats environment. The
    /// <c>KAFKA_*</c> variables are those of the process; a value of the same name in the host's configuration (a command line, a secret store) wins over them.
    /// </summary>
    /// <param name="services">The application's services.</param>
    /// <param name="configure">Changes the settings.</param>
    /// <exception cref="InvalidOperationException">It was called before for these services.</exception>
    /// <example>
    /// <code>
    /// var builder = WebApplication.CreateBuilder(args);
    /// builder.Services.AddNaradKafka()   // section "Kafka" of the configuration, and KAFKA_* variables
    ///     .AddSubscription&lt;OrderPlaced, BillOrder&gt;("orders", group: "billing");
    /// await builder.Build().RunAsync();
    /// </code>
    /// </example>
    public static NaradKafkaBuilder AddNaradKafka(this IServiceCollection services, Action<KafkaOptions>? configure = null) =>
        Add(services, configuration: null, configure);

    /// <summary>
    /// Adds <see cref="IKafkaService"/> from the <c>KAFKA_*</c> variables, the section <c>Kafka</c> (or the section given, where it is one) and code;
    /// code beats configuration beats environment.
    /// </summary>
    /// <param name="services">The application's services.</param>
    /// <param name="configuration">The application's configuration, or the section itself.</param>
    /// <param name="configure">Changes the settings.</param>
    /// <exception cref="InvalidOperationException">It was called before for these services.</exception>
    public static NaradKafkaBuilder AddNaradKafka(this IServiceCollection services, IConfiguration configuration, Action<KafkaOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        return Add(services, configuration, configure);
    }

    /// <summary>
    /// Adds a health check named <c>kafka</c>: unhealthy while no broker answers or a subscription ended, degraded while a partition is stopped, a
    /// topic is missing or messages are only logged.
    /// </summary>
    /// <param name="builder">The application's health checks.</param>
    /// <param name="name">The check's name; default <c>kafka</c>.</param>
    /// <param name="failureStatus">What to report instead of unhealthy.</param>
    /// <param name="tags">Tags, such as <c>ready</c>.</param>
    /// <example>
    /// <code>
    /// builder.Services.AddHealthChecks().AddNaradKafka(tags: ["ready"]);
    ///
    /// var app = builder.Build();
    /// app.MapHealthChecks("/health/ready", new() { Predicate = check =&gt; check.Tags.Contains("ready") });
    /// </code>
    /// </example>
    public static IHealthChecksBuilder AddNaradKafka(
        this IHealthChecksBuilder builder, string name = "kafka", HealthStatus? failureStatus = null, IEnumerable<string>? tags = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        return builder.Add(
            new HealthCheckRegistration(name, static services => new KafkaHealthCheck(services.GetRequiredService<KafkaService>()), failureStatus, tags));
    }

    /// <summary>
    /// Adds a health check named <c>kafka-outbox</c>: degraded, then unhealthy, while messages wait in the outbox for longer than
    /// <see cref="OutboxOptions.DegradedAfter"/> and <see cref="OutboxOptions.UnhealthyAfter"/>; degraded while messages are set aside; unhealthy while the
    /// store does not answer.
    /// </summary>
    /// <param name="builder">The application's health checks.</param>
    /// <param name="name">The check's name; default <c>kafka-outbox</c>.</param>
    /// <param name="failureStatus">What to report instead of unhealthy.</param>
    /// <param name="tags">Tags, such as <c>ready</c>.</param>
    public static IHealthChecksBuilder AddNaradKafkaOutbox(
        this IHealthChecksBuilder builder, string name = "kafka-outbox", HealthStatus? failureStatus = null, IEnumerable<string>? tags = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        return builder.Add(
            new HealthCheckRegistration(name, static services => new OutboxHealthCheck(services.GetRequiredService<OutboxService>()), failureStatus, tags));
    }

    private static NaradKafkaBuilder Add(IServiceCollection services, IConfiguration? configuration, Action<KafkaOptions>? configure)
    {
        ArgumentNullException.ThrowIfNull(services);
        if (services.Any(service => service.ServiceType == typeof(KafkaService)))
        {
            throw new InvalidOperationException(
                "AddNaradKafka was called before for these services. One call registers the one Kafka service: the settings of a second call would overrule "
                    + "those of the first one for all of its users. Keep the builder that the first call returns, and add subscriptions and settings to that.");
        }

        services.AddOptions();
        services.AddLogging();
        services.AddOptions<KafkaOptions>().Configure<IServiceProvider>((options, provider) =>
        {
            options.Environment = provider.GetService<IHostEnvironment>()?.EnvironmentName;
            var host = provider.GetService<IConfiguration>();
            KafkaEnvironment.Apply(options, KafkaEnvironment.Variables(configuration is null or IConfigurationSection ? host : configuration));
            if ((configuration ?? host) is { } source)
            {
                KafkaConfigurationSection.Apply(options, source);
            }
        });
        services.TryAddSingleton(TimeProvider.System);
        services.AddSingleton<IValidateOptions<KafkaOptions>, KafkaOptionsValidator>();
        services.AddSingleton<IPostConfigureOptions<LoggerFilterOptions>, DevelopmentLogging>();
        services.AddSingleton(Create);
        services.AddSingleton<IKafkaService>(static provider => provider.GetRequiredService<KafkaService>());
        services.AddSingleton<IKafkaProducer>(static provider => provider.GetRequiredService<KafkaService>());
        services.AddHostedService<KafkaHostedService>();

        var builder = new NaradKafkaBuilder(services);
        if (configure is not null)
        {
            builder.Configure(configure);
        }

        return builder;
    }

    // Middleware, observers and loggers are resolved later, because they may take the service. What is left must not.
    private static KafkaService Create(IServiceProvider services)
    {
        if (s_creating)
        {
            throw new InvalidOperationException(
                "IKafkaService is needed to create itself: IKafkaService → IOptions<KafkaOptions> or TimeProvider → a service of the application → "
                    + "IKafkaService. "
                + "What configures or validates KafkaOptions must not take IKafkaService: let it take IServiceProvider, and resolve IKafkaService when it is "
                + "used.");
        }

        s_creating = true;
        try
        {
            return new KafkaService(OptionsOf(services), new LateLoggers(services), services.GetRequiredService<TimeProvider>(), services);
        }
        finally
        {
            s_creating = false;
        }
    }

    private static KafkaOptions OptionsOf(IServiceProvider services)
    {
        try
        {
            return services.GetRequiredService<IOptions<KafkaOptions>>().Value;
        }
        catch (OptionsValidationException error)
        {
            throw new KafkaConfigurationException([.. error.Failures]);
        }
    }
}
