using Microsoft.Extensions.DependencyInjection;
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
        services.AddSingleton<IChatStorage>(configuration.HasMongo() ? new MongoChatStorage(configuration.OpenMongo(DefaultDatabase, MostWait)) : memory);
        services.AddHealthChecks().AddCheck<StorageHealth>("storage");
    }
}
