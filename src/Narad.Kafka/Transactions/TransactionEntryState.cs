namespace Narad.Kafka.Transactions;

/// <summary>What became of one message in one transaction.</summary>
internal enum TransactionEntryState
{
    /// <summary>Not begun; so it stays where nothing more is started.</summary>
    Waiting,

    /// <summary>Its handler runs.</summary>
    Running,

    /// <summary>Its handler returned: it counts if the transaction is committed.</summary>
    Succeeded,

    /// <summary>It was interrupted, or failed by no fault of its own: it runs again, and the invocation does not count.</summary>
    RunAgain,

    /// <summary>What it sent was refused, among others: it runs again alone, and the invocation does not count.</summary>
    Suspect,

    /// <summary>It failed, and what becomes of it is decided.</summary>
    Failed,
}
