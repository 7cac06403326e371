namespace Narad.Kafka;

/// <summary>
/// Stores messages, idempotently by their id. Implementations are thread-safe. A failure of the store as a whole is a
/// <see cref="StoreUnavailableException"/>: then anything may or may not have been
/// written, and the same messages are written again.
/// </summary>
public interface IMessageStore
{
    /// <summary>Prepares and checks everything for one target: called when its subscription starts.</summary>
    /// <exception cref="KafkaConfigurationException">The target cannot be served as it is configured.</exception>
    /// <exception cref="StoreUnavailableException">The store did not answer within a bounded time.</exception>
    Task StartAsync(MessageStoreTarget target, CancellationToken cancellationToken);

    /// <summary>Writes messages of one partition, in offset order. Completes when the store has acknowledged them.</summary>
    /// <param name="target">Where they go.</param>
    /// <param name="messages">The messages; several may have the same id, and the outcome is as if they were written one after the other.</param>
    /// <param name="cancellationToken">Stops the waiting.</param>
    /// <returns>For each message, in the same order: null where it is stored (now, before, or in a newer version), else why not.</returns>
    /// <exception cref="StoreUnavailableException">The store did not answer, or not whether it has written.</exception>
    Task<IReadOnlyList<Exception?>> WriteAsync(MessageStoreTarget target, IReadOnlyList<StoredMessage> messages, CancellationToken cancellationToken);
}
