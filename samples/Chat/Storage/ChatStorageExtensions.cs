using Microsoft.Extensions.DependencyInjection;
using MongoDB.Driver;
using Narad.Kafka;
using Narad.Samples;

namespace Chat.Storage;

/// <summary>Chooses the storage: MongoDB where <c>MONGODB_URI</c> names a server, else the memory of this process.</summary>
internal static class ChatStorageExtensions
{
    private const string DefaultDatabase = "chat";

    // Somebody waits for the answer.
    private static readonly TimeSpan MostWait = TimeSpan.FromSeconds(5);

    /// <exception cref="KafkaConfigurationException">The URI cannot be read.</exception>
    public static void AddChatStorage(this IServiceCollection services, IConfiguration configuration, InMemoryChatStorage memory)
    {
        services.AddSingleton<IChatStorage>(configuration.HasMongo() ? new MongoChatStorage(Open(configuration)) : memory);
        services.AddHealthChecks().AddCheck<StorageHealth>("storage");
    }

    private static IMongoDatabase Open(IConfiguration configuration)
    {
        try
        {
            var url = MongoUrl.Create(
                configuration["MONGODB_URI"] ?? configuration.GetConnectionString("mongodb") ?? configuration["Kafka:Mongo:ConnectionString"]);
            var settings = MongoClientSettings.FromUrl(url);
            settings.ServerSelectionTimeout = settings.ConnectTimeout = settings.SocketTimeout = MostWait;
            return new MongoClient(settings).GetDatabase(url.DatabaseName ?? DefaultDatabase);
        }
        catch (Exception error) when (error is MongoConfigurationException or FormatException or ArgumentException)
        {
            // The driver's text quotes the URI, and with it the password.
            throw new KafkaConfigurationException(["MONGODB_URI is no MongoDB connection string. Write mongodb://user:password@host:27017/database."]);
        }
    }
}
