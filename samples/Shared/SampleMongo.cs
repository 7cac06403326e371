using Microsoft.Extensions.Configuration;
using MongoDB.Driver;
using Narad.Kafka;

namespace Narad.Samples;

/// <summary>The MongoDB server of a sample.</summary>
public static class SampleMongo
{
    private static readonly string[] Settings = ["MONGODB_URI", "ConnectionStrings:mongodb", "Kafka:Mongo:ConnectionString"];

    /// <summary>Whether a MongoDB server is named (<c>MONGODB_URI</c>, <c>ConnectionStrings:mongodb</c>, <c>Kafka:Mongo:ConnectionString</c>).</summary>
    public static bool HasMongo(this IConfiguration configuration) => UriOf(configuration) is not null;

    /// <summary>The database on the server that the configuration names. Nothing is connected yet.</summary>
    /// <param name="configuration">The application's configuration.</param>
    /// <param name="database">The database, unless the URI names one.</param>
    /// <param name="timeout">How long an answer is waited for.</param>
    /// <param name="selectionTimeout">How long a server is waited for; default <paramref name="timeout"/>.</param>
    /// <exception cref="KafkaConfigurationException">The URI cannot be read.</exception>
    public static IMongoDatabase OpenMongo(this IConfiguration configuration, string database, TimeSpan timeout, TimeSpan? selectionTimeout = null)
    {
        try
        {
            var url = MongoUrl.Create(UriOf(configuration));
            var settings = MongoClientSettings.FromUrl(url);
            settings.ServerSelectionTimeout = Shorter(settings.ServerSelectionTimeout);
            settings.ConnectTimeout = Shorter(settings.ConnectTimeout);
            settings.SocketTimeout = timeout;
            return new MongoClient(settings).GetDatabase(url.DatabaseName ?? database);
        }
        catch (Exception error) when (error is MongoConfigurationException or FormatException or ArgumentException)
        {
            // The driver's text quotes the URI, and with it the password.
            throw new KafkaConfigurationException(["MONGODB_URI is no MongoDB connection string. Write mongodb://user:password@host:27017/database."]);
        }

        TimeSpan Shorter(TimeSpan time) => time < (selectionTimeout ?? timeout) ? time : selectionTimeout ?? timeout;
    }

    private static string? UriOf(IConfiguration configuration) =>
        Settings.Select(name => configuration[name]).FirstOrDefault(static uri => !string.IsNullOrWhiteSpace(uri));
}
