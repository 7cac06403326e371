using Microsoft.Extensions.DependencyInjection;
using Narad.Kafka;
using Narad.Samples;

namespace Notifications.Storage;

/// <summary>Chooses the storage.</summary>
internal static class NotificationStoreExtensions
{
    private const string DefaultDatabase = "notifications";

    // A client waits for the answer.
    private static readonly TimeSpan MostWait = TimeSpan.FromSeconds(5);

    /// <summary>Stores in MongoDB where <c>MONGODB_URI</c> names a server, else in memory.</summary>
    /// <exception cref="KafkaConfigurationException">The URI cannot be read.</exception>
    public static void AddNotificationStore(this IServiceCollection services, IConfiguration configuration, InMemoryNotifications memory)
    {
        if (configuration.HasMongo())
        {
            var database = configuration.OpenMongo(DefaultDatabase, MostWait);
            services.AddSingleton<INotificationStore>(provider => new MongoNotifications(database, provider.GetRequiredService<TimeProvider>()));
        }
        else
        {
            services.AddSingleton<INotificationStore>(memory);
        }
    }
}
