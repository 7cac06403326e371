namespace Narad.Kafka.Transactions;

/// <summary>What a <see cref="TransactionBatcher"/> is at.</summary>
internal enum BatcherState
{
    /// <summary>A producer is being built, or its turn has not come yet.</summary>
    Starting,

    /// <summary>A new producer is there; positions go back to what is committed.</summary>
    Rewinding,

    /// <summary>A transaction is open and has no message yet.</summary>
    Collecting,

    /// <summary>Handlers of a transaction run.</summary>
    Handling,

    /// <summary>It is being committed or aborted.</summary>
    Ending,

    /// <summary>There will be no transaction any more.</summary>
    Closed,
}
