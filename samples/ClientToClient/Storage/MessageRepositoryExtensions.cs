using Microsoft.Extensions.DependencyInjection;
using Narad.Kafka;
using Narad.Samples;

namespace ClientToClient.Storage;

/// <summary>Chooses the repository.</summary>
internal static class MessageRepositoryExtensions
{
    private const string DefaultDatabase = "message-db";

    /// <summary>How long a call may take.</summary>
    public static readonly TimeSpan Timeout = TimeSpan.FromSeconds(15);

    // A server that is away is known sooner: a client waits for the answer.
    private static readonly TimeSpan SelectionTimeout = TimeSpan.FromSeconds(5);

    /// <summary>
    /// Saves in MongoDB where <c>MONGODB_URI</c> names a server (database <c>message-db</c>, unless the URI names another one), else in memory.
    /// </summary>
    /// <param name="kafka">The Kafka service's builder.</param>
    /// <param name="configuration">The application's configuration.</param>
    /// <param name="memory">What both clients save in, where they are in one process and there is no MongoDB.</param>
    /// <exception cref="KafkaConfigurationException">The URI cannot be read.</exception>
    public static NaradKafkaBuilder AddMessageRepository(this NaradKafkaBuilder kafka, IConfiguration configuration, InMemoryMessageRepository memory)
    {
        if (!configuration.HasMongo())
        {
            kafka.Services.AddSingleton<IMessageRepository>(memory);
            return kafka;
        }

        var database = configuration.OpenMongo(DefaultDatabase, Timeout, SelectionTimeout);
        kafka.AddMongo(database, static options => options.OperationTimeout = Timeout);
        kafka.Services.AddHealthChecks().AddNaradKafkaMongo();
        kafka.Services.AddSingleton<IMessageRepository>(services => new MongoMessageRepository(services.GetRequiredService<IMessageStore>(), database));
        return kafka;
    }
}
