namespace Narad.Kafka.Transactions;

/// <summary>How a transaction ended.</summary>
internal enum TransactionEndKind
{
    /// <summary>Outputs and offsets count.</summary>
    Committed,

    /// <summary>Nothing of it counts, for certain.</summary>
    Aborted,

    /// <summary>The producer is of no use any more, and whether the transaction counts only the committed offsets tell.</summary>
    Broken,
}
