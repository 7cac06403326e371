using Confluent.Kafka;

namespace Narad.Kafka.Transactions;

/// <summary>
/// One transactional producer from its start to its end. A transaction is always open in it, once it started. Thread-safe; disposing may block for long.
/// </summary>
internal interface ITransactionClient : IDisposable
{
    /// <summary>The error that ended it; null while it is of use.</summary>
    Error? Fatal { get; }

    /// <summary>
    /// Takes over the transactional.id, ends what was open under it, and begins a transaction; null where it did. Waits for brokers until it is cancelled.
    /// </summary>
    Task<Error?> StartAsync(Action<Error> waiting, CancellationToken giveUp);

    /// <summary>
    /// Takes a message without waiting. Where it answers <see cref="ErrorCode.NoError"/> it reports exactly once, on a thread of the client; otherwise
    /// never. Never throws.
    /// </summary>
    Error TryProduce(TopicPartition to, Message<byte[]?, byte[]?> message, Action<DeliveryReport<byte[]?, byte[]?>> report);

    /// <summary>Commits the open transaction with these offsets, or aborts it where it cannot be; then begins the next one. Never throws.</summary>
    Task<TransactionEnd> CommitAsync(IReadOnlyList<TopicPartitionOffset> offsets, IConsumerGroupMetadata member, CancellationToken giveUp);

    /// <summary>Aborts the open transaction and begins the next one. Never throws.</summary>
    Task<TransactionEnd> AbortAsync(CancellationToken giveUp);
}
