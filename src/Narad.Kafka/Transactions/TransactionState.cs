namespace Narad.Kafka.Transactions;

/// <summary>
/// Where a message of an exactly-once subscription stands between its transactions. Written by the poll thread, or by the worker that has its message.
/// </summary>
internal sealed class TransactionState
{
    /// <summary>It in the transaction that it is in; null between two.</summary>
    public TransactionEntry? Entry { get; set; }

    /// <summary>Whether it failed before: it gets a transaction of its own.</summary>
    public bool NeedsOwnTransaction { get; set; }

    /// <summary>When that may begin, as a timestamp of the clock.</summary>
    public long NotBefore { get; set; }

    /// <summary>What was decided without a copy: <see cref="FailureAction.Skip"/> or <see cref="FailureAction.Stop"/>.</summary>
    public FailureAction? Decided { get; set; }

    /// <summary>Why.</summary>
    public Exception? DecidedFor { get; set; }

    /// <summary>Whether it came back from its key queue because no transaction had it, rather than skipped by name.</summary>
    public bool CameBack { get; set; }

    /// <summary>How often its copy was refused for its size: so much less of the failure is written into it.</summary>
    public int CopiesTooLarge { get; set; }
}
