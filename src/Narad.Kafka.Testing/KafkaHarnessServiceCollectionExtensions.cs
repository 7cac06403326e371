using Narad.Kafka;
using Narad.Kafka.Testing;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>The harness in a host.</summary>
public static class KafkaHarnessServiceCollectionExtensions
{
    /// <summary>
    /// Adds a <see cref="KafkaHarness"/> (a singleton) that watches the service of <c>AddNaradKafka()</c>; call it before what adds other middleware to
    /// see what they change.
    /// </summary>
    /// <param name="services">The application's services.</param>
    /// <param name="deadline">How long each waiting may take; default 10 s.</param>
    public static IServiceCollection AddNaradKafkaHarness(this IServiceCollection services, TimeSpan? deadline = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        services.AddSingleton(provider => new KafkaHarness(provider.GetRequiredService<IKafkaService>, deadline));
        services.AddSingleton<ISendMiddleware>(static provider => provider.GetRequiredService<KafkaHarness>());
        services.AddSingleton<IConsumeMiddleware>(static provider => provider.GetRequiredService<KafkaHarness>());
        services.AddSingleton<IFailureObserver>(static provider => provider.GetRequiredService<KafkaHarness>());
        return services;
    }
}
