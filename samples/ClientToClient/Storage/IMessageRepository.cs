using Narad.Kafka;

namespace ClientToClient.Storage;

/// <summary>The collection <c>messages</c> of the database <c>message-db</c>: unique on message id and client. Thread-safe.</summary>
internal interface IMessageRepository
{
    /// <summary>Where it saves, for logs and people.</summary>
    string Name { get; }

    /// <summary>Saves an entry. One that is there already stays as it is, so that saving again does no harm.</summary>
    /// <exception cref="StoreUnavailableException">The database did not answer in time. The entry may be saved or not.</exception>
    Task SaveAsync(SavedMessage entry, CancellationToken cancellationToken = default);

    /// <summary>Finds which of some messages a client has saved.</summary>
    /// <returns>The ids of those.</returns>
    /// <exception cref="StoreUnavailableException">The database did not answer in time.</exception>
    Task<IReadOnlySet<string>> FindSavedAsync(IReadOnlyCollection<string> messageIds, string savedBy, CancellationToken cancellationToken = default);
}
