namespace Narad.Kafka;

/// <summary>Messages of the outbox that were refused too often: <see cref="IOutbox.SetAside"/>. Thread-safe.</summary>
public interface IOutboxSetAside
{
    /// <summary>Lists them, oldest first.</summary>
    /// <param name="topic">Only those of this topic, by its real or its logical name; null: of all.</param>
    /// <param name="limit">How many at most, 1 to 10,000; default 100.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    /// <exception cref="StoreUnavailableException">The store did not answer.</exception>
    Task<IReadOnlyList<SetAsideMessage>> ListAsync(string? topic = null, int limit = 100, CancellationToken cancellationToken = default);

    /// <summary>Sends messages again, by their ids: they are pending again, before later messages of their key that were not sent yet.</summary>
    /// <returns>How many were set aside and are pending now. One that another operator retried or discarded meanwhile is not counted.</returns>
    /// <exception cref="StoreUnavailableException">The store did not answer.</exception>
    Task<int> RetryAsync(IEnumerable<string> ids, CancellationToken cancellationToken = default);

    /// <summary>Deletes messages, by their ids. They are never sent.</summary>
    /// <returns>How many were set aside and are deleted.</returns>
    /// <exception cref="StoreUnavailableException">The store did not answer.</exception>
    Task<int> DiscardAsync(IEnumerable<string> ids, CancellationToken cancellationToken = default);
}
