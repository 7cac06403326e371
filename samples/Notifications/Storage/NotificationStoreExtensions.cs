using Microsoft.Extensions.DependencyInjection;
using MongoDB.Driver;
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
            var database = Open(configuration);
            services.AddSingleton<INotificationStore>(provider => new MongoNotifications(database, provider.GetRequiredService<TimeProvider>()));
        }
        else
        {
            services.AddSingleton<INotificationStore>(memory);
        }
    }

    private static IMongoDatabase Open(IConfiguration configuration)
    {
        try
        {
            var url = MongoUrl.Create(
                configuration["MONGODB_URI"] ?? configuration.GetConnectionString("mongodb") ?? configuration["Kafka:Mongo:ConnectionString"]);
            var settings = MongoClientSettings.FromUrl(url);
            settings.ServerSelectionTimeout = Shorter(settings.ServerSelectionTimeout);
            settings.ConnectTimeout = Shorter(settings.ConnectTimeout);
            settings.SocketTimeout = MostWait;
            return new MongoClient(settings).GetDatabase(url.DatabaseName ?? DefaultDatabase);
        }
        catch (Exception error) when (error is MongoConfigurationException or FormatException or ArgumentException)
        {
            // The driver's text quotes the URI, and with it the password.
            throw new KafkaConfigurationException(["MONGODB_URI is no MongoDB connection string. Write mongodb://user:password@host:27017/database."]);
        }

        static TimeSpan Shorter(TimeSpan time) => time < MostWait ? time : MostWait;
    }
}
