using MongoDB.Bson;
using MongoDB.Driver;

namespace MessageStore.Storage;

/// <summary>The database, and what a document looks like: <c>{_id, text, createdAt, produced}</c>.</summary>
internal static class Mongo
{
    public const string Text = "text";
    public const string CreatedAt = "createdAt";
    public const string Produced = "produced";

    // A client waits for the answer.
    private static readonly TimeSpan MostWait = TimeSpan.FromSeconds(5);

    public static IMongoDatabase Connect(IConfiguration configuration)
    {
        var url = MongoUrl.Create(
            configuration["MONGODB_URI"] ?? configuration.GetConnectionString("mongodb") ?? configuration["Kafka:Mongo:ConnectionString"]);
        var settings = MongoClientSettings.FromUrl(url);
        settings.ServerSelectionTimeout = Shorter(settings.ServerSelectionTimeout);
        settings.ConnectTimeout = Shorter(settings.ConnectTimeout);
        settings.SocketTimeout = MostWait;
        return new MongoClient(settings).GetDatabase(url.DatabaseName ?? "message-store");

        static TimeSpan Shorter(TimeSpan time) => time < MostWait ? time : MostWait;
    }

    public static BsonDocument Document(Message message, bool produced) => new()
    {
        { "_id", message.Id }, { Text, message.Text }, { CreatedAt, message.CreatedAt.UtcDateTime }, { Produced, produced },
    };

    public static StoredText Read(BsonDocument document) => new()
    {
        Id = document["_id"].AsString,
        Text = document[Text].AsString,
        CreatedAt = new DateTimeOffset(document[CreatedAt].ToUniversalTime(), TimeSpan.Zero),
        Produced = document[Produced].AsBoolean,
    };
}
