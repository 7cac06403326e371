namespace ClientToClient;

/// <summary>Collection <c>messages</c> of database <c>message-db</c>, with a unique index over all four fields. Thread-safe.</summary>
public interface IMessageStore
{
    /// <summary>Saves an entry; one that is there already stays as it is, so that saving again does no harm.</summary>
    /// <returns>Whether it was new.</returns>
    Task<bool> SaveAsync(ClientMessage entry, CancellationToken cancellationToken = default);
}
