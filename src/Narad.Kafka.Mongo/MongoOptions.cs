namespace Narad.Kafka.Mongo;

/// <summary>
/// How the inbox, the outbox and the message store use MongoDB. Set in code (<c>AddMongo(options =&gt; …)</c>) and in the section <c>Kafka:Mongo</c> of the
/// host's configuration; code beats configuration.
/// </summary>
public sealed class MongoOptions
{
    /// <summary>
    /// The connection string (<c>mongodb://</c> or <c>mongodb+srv://</c>). Default: <c>ConnectionStrings:mongodb</c>, else <c>MONGODB_URI</c>, else
    /// <c>mongodb://localhost:27017</c>. Not used where
    /// <c>AddMongo</c> was given a client or a database.
    /// </summary>
    public string? ConnectionString { get; set; }

    /// <summary>The database. Default: the one that the connection string names, else <c>message-db</c>.</summary>
    public string? Database { get; set; }

    /// <summary>The collection of the inbox. Default <c>kafka_inbox</c>.</summary>
    public string InboxCollection { get; set; } = "kafka_inbox";

    /// <summary>The collection of the outbox. Default <c>kafka_outbox</c>. Its leases and its counter are in a collection of that name and
    /// <c>_state</c>.</summary>
    public string OutboxCollection { get; set; } = "kafka_outbox";

    /// <summary>
    /// How long one call to the server may take, the choice of a server included. Above 0, at most 10 minutes; default 15 s. After it the store counts as
    /// unavailable.
    /// </summary>
    public TimeSpan OperationTimeout { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>
    /// How long a server is waited for (<c>serverSelectionTimeoutMS</c>), unless the connection string says so or <c>AddMongo</c> was given a client. Above
    /// 0, at most 10 minutes; default 5 s.
    /// </summary>
    public TimeSpan ServerSelectionTimeout { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>
    /// How long the server lets a transaction live (<c>transactionLifetimeLimitSeconds</c>). Default 60 s, as the server's. A handler's time limit
    /// (<c>SubscriptionOptions.Timeout</c>) must be below it; a
    /// handler without a time limit is cancelled 5 s before it, or at nine tenths of it where that is sooner.
    /// </summary>
    public TimeSpan TransactionLifetime { get; set; } = TimeSpan.FromSeconds(60);

    /// <summary>For how long a handler is run again after transient transaction errors, such as write conflicts. 0 to 10 minutes; default 30 s.</summary>
    public TimeSpan TransactionRetryTimeout { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// Without transactions: for how long a message that a dead process was handling is held. 1 s to 1 day; default 60 s. Renewed while the handler runs;
    /// measured by the server's clock.
    /// </summary>
    public TimeSpan ClaimDuration { get; set; } = TimeSpan.FromSeconds(60);

    /// <summary>Whether the inbox uses transactions. Default: where the server has them (replica set, sharded cluster). True: the start of inbox and outbox
    /// fails where it has none.</summary>
    public bool? UseTransactions { get; set; }

    /// <summary>Whether indexes are created at start where they are missing. Default true; false: they are only checked, and a missing one fails the
    /// start.</summary>
    public bool CreateIndexes { get; set; } = true;
}
