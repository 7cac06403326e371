namespace Notifications.Storage;

/// <summary>The notifications of this process, lost at its exit. A timer deletes what has expired. Thread-safe.</summary>
internal sealed class InMemoryNotifications : INotificationStore, IDisposable
{
    private static readonly TimeSpan ExpiryInterval = TimeSpan.FromSeconds(5);

    private readonly TimeProvider _time;
    private readonly ITimer _expiry;
    private readonly Lock _lock = new();

    // All below: under _lock. The list of a user is in the order of positions.
    private readonly Dictionary<string, List<StoredNotification>> _byUser = new(StringComparer.Ordinal);
    private readonly HashSet<(string UserId, string Id)> _ids = [];
    private long _lastPosition;

    public InMemoryNotifications(TimeProvider time)
    {
        _time = time;
        _expiry = time.CreateTimer(static store => ((InMemoryNotifications)store!).DeleteExpired(), this, ExpiryInterval, ExpiryInterval);
    }

    public string Name => "memory";

    /// <summary>How many it holds, expired ones included.</summary>
    public int Count
    {
        get
        {
            lock (_lock)
            {
                return _ids.Count;
            }
        }
    }

    public Task<IReadOnlyList<StoredNotification>> StoreAsync(IReadOnlyList<StoredNotification> notifications, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            var pending = new List<StoredNotification>(notifications.Count);
            foreach (var notification in notifications)
            {
                var all = All(notification.UserId);
                if (_ids.Add((notification.UserId, notification.Id)))
                {
                    all.Add(notification with { Position = ++_lastPosition });
                    pending.Add(all[^1]);
                }
                else if (all.Find(known => known.Id == notification.Id) is { State: NotificationState.Pending } known && !pending.Contains(known))
                {
                    pending.Add(known);
                }
            }

            return Task.FromResult<IReadOnlyList<StoredNotification>>(pending);
        }
    }

    public Task<IReadOnlyList<StoredNotification>> PendingAsync(string userId, long after, int limit, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            return Task.FromResult<IReadOnlyList<StoredNotification>>(
                [.. Current(userId).Where(found => found.State is NotificationState.Pending && found.Position > after).Take(limit)]);
        }
    }

    public Task<IReadOnlyList<StoredNotification>> ListAsync(
        string userId, IReadOnlyCollection<NotificationState> states, long? before, int limit, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            return Task.FromResult<IReadOnlyList<StoredNotification>>(
                [.. Current(userId).Reverse().Where(found => (before is null || found.Position < before) && states.Contains(found.State)).Take(limit)]);
        }
    }

    public Task<IReadOnlyDictionary<NotificationState, long>> CountAsync(string userId, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            return Task.FromResult<IReadOnlyDictionary<NotificationState, long>>(
                Current(userId).GroupBy(static found => found.State).ToDictionary(static group => group.Key, static group => group.LongCount()));
        }
    }

    public Task<long> ChangeAsync(string userId, StateChange change, CancellationToken cancellationToken)
    {
        var ids = change.Ids?.ToHashSet(StringComparer.Ordinal);
        lock (_lock)
        {
            if (!_byUser.TryGetValue(userId, out var all))
            {
                return Task.FromResult(0L);
            }

            var changed = 0L;
            for (var i = 0; i < all.Count; i++)
            {
                var found = all[i];
                if (found.State < change.State && (ids is null || ids.Contains(found.Id)) && (change.UpTo is null || found.Position <= change.UpTo))
                {
                    all[i] = found with { State = change.State };
                    changed++;
                }
            }

            return Task.FromResult(changed);
        }
    }

    public Task AddUserAsync(string userId, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            All(userId);
        }

        return Task.CompletedTask;
    }

    public IAsyncEnumerable<string> UsersAsync(CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            return _byUser.Keys.ToList().ToAsyncEnumerable();
        }
    }

    public void Dispose() => _expiry.Dispose();

    private List<StoredNotification> All(string userId)
    {
        if (!_byUser.TryGetValue(userId, out var all))
        {
            _byUser.Add(userId, all = []);
        }

        return all;
    }

    private IEnumerable<StoredNotification> Current(string userId)
    {
        var now = _time.GetUtcNow();
        return _byUser.TryGetValue(userId, out var all) ? all.Where(found => found.ExpiresAt > now) : [];
    }

    private void DeleteExpired()
    {
        lock (_lock)
        {
            var now = _time.GetUtcNow();
            foreach (var (userId, all) in _byUser)
            {
                all.RemoveAll(found => found.ExpiresAt <= now && _ids.Remove((userId, found.Id)));
            }
        }
    }
}
