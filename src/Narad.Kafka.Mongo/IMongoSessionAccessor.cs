using MongoDB.Driver;

namespace Narad.Kafka.Mongo;

/// <summary>The session of the message that is being handled: inject it into repositories, and pass <see cref="Session"/> to every call that has to commit
/// together with the inbox.</summary>
public interface IMongoSessionAccessor
{
    /// <summary>The session, in a transaction; null outside of a handler, and where the inbox has no transactions. The inbox commits and disposes it.</summary>
    IClientSessionHandle? Session { get; }
}
