using MongoDB.Driver;

namespace Narad.Kafka.Mongo;

/// <summary>Gives handlers and what they inject the session of the message that is being handled. Thread-safe.</summary>
internal sealed class MongoSessionScope : IMongoSessionAccessor
{
    private static readonly AsyncLocal<IClientSessionHandle?> Current = new();

    public IClientSessionHandle? Session => Current.Value;

    /// <summary>The session of the message that is being handled here; null: none.</summary>
    public static IClientSessionHandle? Of => Current.Value;

    public static void Set(IClientSessionHandle? session) => Current.Value = session;
}
