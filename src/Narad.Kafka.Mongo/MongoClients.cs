using Microsoft.Extensions.Logging;
using MongoDB.Driver;
using MongoDB.Driver.Core.Configuration;

namespace Narad.Kafka.Mongo;

/// <summary>Builds the client from a connection string, with time limits where the string names none.</summary>
internal static class MongoClients
{
    public static MongoClient Create(MongoUrl url, MongoOptions options, ILoggerFactory? loggers)
    {
        var settings = MongoClientSettings.FromUrl(url);
        if (!Names(url, "serverSelectionTimeout"))
        {
            settings.ServerSelectionTimeout = options.ServerSelectionTimeout;
        }

        if (!Names(url, "connectTimeout"))
        {
            settings.ConnectTimeout = options.ServerSelectionTimeout;
        }

        if (!Names(url, "socketTimeout"))
        {
            settings.SocketTimeout = options.OperationTimeout;
        }

        settings.ApplicationName ??= "narad-kafka";
        if (loggers is not null)
        {
            settings.LoggingSettings = new LoggingSettings(loggers);
        }

        return new MongoClient(settings);
    }

    private static bool Names(MongoUrl url, string option) => url.Url.Contains($"{option}MS=", StringComparison.OrdinalIgnoreCase)
        || url.Url.Contains($"{option}=", StringComparison.OrdinalIgnoreCase);
}
