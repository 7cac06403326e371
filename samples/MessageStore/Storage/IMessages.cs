namespace MessageStore.Storage;

/// <summary>
/// The stored messages. Thread-safe. Every member fails with <see cref="Narad.Kafka.StoreUnavailableException"/> while the storage does not answer.
/// </summary>
internal interface IMessages
{
    /// <summary>What the storage is called in logs.</summary>
    string Name { get; }

    /// <summary>Inserts a message that is not produced yet.</summary>
    Task InsertAsync(Message message, CancellationToken cancellationToken);

    /// <summary>The newest messages, or those that are older than one of them, newest first.</summary>
    /// <param name="before">The id of a message; null for the newest ones.</param>
    /// <param name="limit">At most so many.</param>
    /// <param name="cancellationToken">Stops the waiting.</param>
    Task<IReadOnlyList<StoredText>> ListAsync(string? before, int limit, CancellationToken cancellationToken);

    /// <summary>Messages that are not marked as produced, oldest first.</summary>
    Task<IReadOnlyList<Message>> NotProducedAsync(int limit, CancellationToken cancellationToken);

    Task MarkProducedAsync(IReadOnlyCollection<string> ids, CancellationToken cancellationToken);
}
