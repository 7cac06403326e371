namespace Narad.Kafka.Mongo;

/// <summary>What wakes the relay of an outbox. It polls as well, whatever it is.</summary>
internal enum MongoOutboxWakeUp
{
    /// <summary>Nothing: no relay runs here, the server has no change streams, or the connection pool is too small for one.</summary>
    None,

    /// <summary>A change stream.</summary>
    ChangeStream,

    /// <summary>Nothing now: the change stream failed and is opened again.</summary>
    Reconnecting,
}
