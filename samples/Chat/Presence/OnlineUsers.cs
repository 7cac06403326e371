namespace Chat.Presence;

/// <summary>
/// Who is online, on any instance. An instance tells its users once and then what changes; each change has the next number, so that a missed one is noticed.
/// Thread-safe.
/// </summary>
internal sealed class OnlineUsers(TimeProvider time)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, Instance> _instances = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int> _online = new(StringComparer.Ordinal);

    /// <summary>A user went online or offline.</summary>
    public event Action<string, bool>? Changed;

    public bool IsOnline(string userId)
    {
        lock (_lock)
        {
            return _online.ContainsKey(userId);
        }
    }

    /// <summary>All users of an instance.</summary>
    public void Set(string instanceId, long version, IReadOnlyCollection<string> users) => Change(changes =>
    {
        var instance = _instances.GetValueOrDefault(instanceId) ?? (_instances[instanceId] = new Instance());
        (instance.Version, instance.HeardAt) = (version, time.GetTimestamp());
        Replace(instance, users.ToHashSet(StringComparer.Ordinal), changes);
        return true;
    });

    /// <summary>What changed at an instance.</summary>
    /// <returns>False where the change before it is missing: ask for all users.</returns>
    public bool Apply(string instanceId, long version, string? onlineUserId, string? offlineUserId) => Change(changes =>
    {
        if (!_instances.TryGetValue(instanceId, out var instance) || version > instance.Version + 1)
        {
            return false;
        }

        instance.HeardAt = time.GetTimestamp();
        if (version == instance.Version + 1)
        {
            instance.Version = version;
            if (onlineUserId is not null)
            {
                Add(instance, onlineUserId, changes);
            }

            if (offlineUserId is not null)
            {
                Remove(instance, offlineUserId, changes);
            }
        }

        return true;
    });

    /// <summary>An instance says that it runs, and how many changes it told.</summary>
    /// <returns>False where one of them is missing: ask for all users.</returns>
    public bool Hear(string instanceId, long version)
    {
        lock (_lock)
        {
            if (!_instances.TryGetValue(instanceId, out var instance))
            {
                return false;
            }

            instance.HeardAt = time.GetTimestamp();
            return instance.Version == version;
        }
    }

    /// <summary>An instance stopped.</summary>
    public void Remove(string instanceId) => Change(changes =>
    {
        if (_instances.Remove(instanceId, out var instance))
        {
            Replace(instance, [], changes);
        }

        return true;
    });

    /// <summary>
    /// Removes instances that were last heard long before this one heard itself. While nothing is heard at all nobody goes offline.
    /// </summary>
    public void Expire(string ownInstanceId, TimeSpan offlineAfter) => Change(changes =>
    {
        if (_instances.GetValueOrDefault(ownInstanceId) is { } own)
        {
            foreach (var (id, instance) in _instances.Where(one => time.GetElapsedTime(one.Value.HeardAt, own.HeardAt) > offlineAfter).ToList())
            {
                _instances.Remove(id);
                Replace(instance, [], changes);
            }
        }

        return true;
    });

    private void Replace(Instance instance, HashSet<string> users, List<(string UserId, bool Online)> changes)
    {
        foreach (var user in users)
        {
            Add(instance, user, changes);
        }

        foreach (var user in instance.Users.Where(user => !users.Contains(user)).ToList())
        {
            Remove(instance, user, changes);
        }
    }

    private void Add(Instance instance, string userId, List<(string UserId, bool Online)> changes)
    {
        if (instance.Users.Add(userId) && (_online[userId] = _online.GetValueOrDefault(userId) + 1) == 1)
        {
            changes.Add((userId, true));
        }
    }

    private void Remove(Instance instance, string userId, List<(string UserId, bool Online)> changes)
    {
        if (instance.Users.Remove(userId) && --_online[userId] == 0)
        {
            _online.Remove(userId);
            changes.Add((userId, false));
        }
    }

    // Tells what changed outside of the lock.
    private bool Change(Func<List<(string UserId, bool Online)>, bool> change)
    {
        var changes = new List<(string UserId, bool Online)>();
        bool result;
        lock (_lock)
        {
            result = change(changes);
        }

        foreach (var (userId, isOnline) in changes)
        {
            Changed?.Invoke(userId, isOnline);
        }

        return result;
    }

    private sealed class Instance
    {
        public long Version { get; set; }

        public long HeardAt { get; set; }

        public HashSet<string> Users { get; } = new(StringComparer.Ordinal);
    }
}
