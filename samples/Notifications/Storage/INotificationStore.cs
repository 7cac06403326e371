using Narad.Kafka;

namespace Notifications.Storage;

/// <summary>
/// The stored notifications. What has expired is never returned. Thread-safe. Every member fails with <see cref="StoreUnavailableException"/> while the
/// storage does not answer.
/// </summary>
internal interface INotificationStore
{
    /// <summary>What the storage is called in logs and health.</summary>
    string Name { get; }

    /// <summary>Stores, in this order, what is not stored yet, as pending.</summary>
    /// <returns>Those of them that are pending: new ones, and ones that were stored before and not acknowledged.</returns>
    Task<IReadOnlyList<StoredNotification>> StoreAsync(IReadOnlyList<StoredNotification> notifications, CancellationToken cancellationToken);

    /// <summary>Pending notifications of a user, oldest first.</summary>
    /// <param name="userId">Whose.</param>
    /// <param name="after">The position of the last one that the caller has.</param>
    /// <param name="limit">At most so many.</param>
    /// <param name="cancellationToken">Stops the waiting.</param>
    Task<IReadOnlyList<StoredNotification>> PendingAsync(string userId, long after, int limit, CancellationToken cancellationToken);

    /// <summary>Notifications of a user, newest first.</summary>
    /// <param name="userId">Whose.</param>
    /// <param name="states">In these states.</param>
    /// <param name="before">The position of the last one that the caller has; null for the newest ones.</param>
    /// <param name="limit">At most so many.</param>
    /// <param name="cancellationToken">Stops the waiting.</param>
    Task<IReadOnlyList<StoredNotification>> ListAsync(
        string userId, IReadOnlyCollection<NotificationState> states, long? before, int limit, CancellationToken cancellationToken);

    /// <summary>How many notifications a user has in each state; states without any are left out.</summary>
    Task<IReadOnlyDictionary<NotificationState, long>> CountAsync(string userId, CancellationToken cancellationToken);

    /// <summary>Changes the state of those that are in an earlier one.</summary>
    /// <returns>How many changed.</returns>
    Task<long> ChangeAsync(string userId, StateChange change, CancellationToken cancellationToken);

    /// <summary>Notes that a user exists, for <see cref="UsersAsync"/>.</summary>
    Task AddUserAsync(string userId, CancellationToken cancellationToken);

    /// <summary>Every user that was noted or has a notification, in no order, each once.</summary>
    IAsyncEnumerable<string> UsersAsync(CancellationToken cancellationToken);
}
