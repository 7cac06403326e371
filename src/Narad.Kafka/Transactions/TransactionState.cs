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

    /// <summary>The decision, where no record is published: <see cref="FailureAction.Skip"/> or <see cref="FailureAction.Stop"/>.</summary>
    public FailureAction? Decided { get; set; }

    /// <summary>The error that led to the decision.</summary>
    public Exception? DecidedFor { get; set; }

    /// <summary>Whether it came back from its key queue because no transaction had it, rather than skipped by name.</summary>
    public bool ReturnedWithoutTransaction { get; set; }

    /// <summary>How often its retry record or dead letter was refused for its size. Each refusal leaves out more details of the failure.</summary>
    public int SizeRefusals { get; set; }
}
