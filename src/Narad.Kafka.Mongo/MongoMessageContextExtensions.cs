using MongoDB.Driver;

namespace Narad.Kafka;

/// <summary>MongoDB's part of <see cref="MessageContext"/>.</summary>
public static class MongoMessageContextExtensions
{
    /// <summary>
    /// The session whose transaction commits together with the inbox: pass it to every write of the handler. Null where the inbox has no transactions (a
    /// standalone server), or the subscription is not
    /// <see cref="SubscriptionOptions.Once"/>. The inbox starts, commits and disposes it.
    /// </summary>
    /// <param name="context">The message's context.</param>
    public static IClientSessionHandle? GetMongoSession(this MessageContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        return context.StorageSession as IClientSessionHandle;
    }
}
