using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Narad.Kafka.Configuration;
using Narad.Kafka.Diagnostics;

namespace Narad.Kafka;

/// <summary>The one line.</summary>
public static class NaradKafkaServiceCollectionExtensions
{
    /// <summary>
    /// Adds <see cref="IKafkaService"/> (a singleton, connected at the host's start, disconnected at its stop) from the <c>KAFKA_*</c> variables and
    /// from code; code beats environment.
    /// </summary>
    /// <param name="services">The application's services.</param>
    /// <param name="configure">Changes the settings.</param>
    /// <exception cref="InvalidOperationException">It was called before for these services.</exception>
    public static NaradKafkaBuilder AddNaradKafka(this IServiceCollection services, Action<KafkaOptions>? configure = null) => Add(services, configuration: null, configure);

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
    public static IHealthChecksBuilder AddNaradKafka(this IHealthChecksBuilder builder, string name = "kafka", HealthStatus? failureStatus = null, IEnumerable<string>? tags = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        return builder.Add(new HealthCheckRegistration(name, static services => new KafkaHealthCheck(services.GetRequiredService<KafkaService>()), failureStatus, tags));
    }

    private static NaradKafkaBuilder Add(IServiceCollection services, IConfiguration? configuration, Action<KafkaOptions>? configure)
    {
        ArgumentNullException.ThrowIfNull(services);
        if (services.Any(service => service.ServiceType == typeof(KafkaService)))
        {
            throw new InvalidOperationException(
                "AddNaradKafka was called before for these services. One call registers the one Kafka service: the settings of a second call would overrule those of the first one for all of its users. Keep the builder that the first call returns, and add subscriptions and settings to that.");
        }

        services.AddOptions();
        services.AddLogging();
        services.AddOptions<KafkaOptions>().Configure<IServiceProvider>(static (options, provider) =>
        {
            options.Environment = provider.GetService<IHostEnvironment>()?.EnvironmentName;
            KafkaEnvironment.Apply(options, KafkaEnvironment.Variables());
        });
        services.TryAddSingleton(TimeProvider.System);
        services.AddSingleton<IValidateOptions<KafkaOptions>, KafkaOptionsValidator>();
        services.AddSingleton<IConfigureOptions<LoggerFilterOptions>, DevelopmentLogging>();
        services.AddSingleton(static provider => new KafkaService(
            OptionsOf(provider),
            provider.GetRequiredService<ILoggerFactory>(),
            provider.GetRequiredService<TimeProvider>(),
            provider));
        services.AddSingleton<IKafkaService>(static provider => provider.GetRequiredService<KafkaService>());
        services.AddHostedService<KafkaHostedService>();

        var builder = new NaradKafkaBuilder(services);
        if (configuration is not null)
        {
            builder.Configure(options => KafkaConfigurationSection.Apply(options, configuration));
        }

        if (configure is not null)
        {
            builder.Configure(configure);
        }

        return builder;
    }

    private static KafkaOptions OptionsOf(IServiceProvider services)
    {
        KafkaOptions options;
        try
        {
            options = services.GetRequiredService<IOptions<KafkaOptions>>().Value;
        }
        catch (OptionsValidationException error)
        {
            throw new KafkaConfigurationException([.. error.Failures]);
        }

        foreach (var observer in services.GetServices<IFailureObserver>())
        {
            options.FailureObservers.Add(observer);
        }

        foreach (var middleware in services.GetServices<ISendMiddleware>())
        {
            options.SendMiddleware.Add(middleware);
        }

        foreach (var middleware in services.GetServices<IConsumeMiddleware>())
        {
            options.ConsumeMiddleware.Add(middleware);
        }

        return options;
    }
}
