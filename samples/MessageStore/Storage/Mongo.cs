using MongoDB.Bson;
using MongoDB.Driver;
using Narad.Samples;

namespace MessageStore.Storage;

/// <summary>The database, and what a document looks like: <c>{_id, text, createdAt, produced}</c>.</summary>
internal static class Mongo
{
    public const string Text = "text";
    public const string CreatedAt = "createdAt";
    public const string Produced = "produced";

    // A client waits for the answer.
    private static readonly TimeSpan MostWait = TimeSpan.FromSeconds(5);

    public static IMongoDatabase Connect(IConfiguration configuration) => configuration.OpenMongo("message-store", MostWait);

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
