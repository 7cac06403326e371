using System.Collections.Concurrent;

namespace Chat.Security;

/// <summary>Users whose sessions ended before their time. Thread-safe.</summary>
internal sealed class SignedOutUsers
{
    private readonly ConcurrentDictionary<string, DateTimeOffset> _users = new(StringComparer.Ordinal);

    public void Add(IEnumerable<KeyValuePair<string, DateTimeOffset>> users)
    {
        foreach (var (userId, time) in users)
        {
            Add(userId, time);
        }
    }

    public void Add(string userId, DateTimeOffset time) => _users.AddOrUpdate(userId, time, (_, known) => known > time ? known : time);

    /// <summary>Whether a session that began then is over.</summary>
    public bool Includes(string userId, DateTimeOffset signedInAt) => _users.TryGetValue(userId, out var time) && signedInAt <= time;
}
