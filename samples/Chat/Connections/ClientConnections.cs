using System.Collections.Concurrent;

namespace Chat.Connections;

/// <summary>The connections of this instance, by user and by room. Thread-safe.</summary>
internal sealed class ClientConnections(ILogger<ClientConnections> logger)
{
    private readonly Lock _lock = new();
    private readonly ConcurrentDictionary<string, ClientConnection> _all = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Dictionary<string, ClientConnection>> _byUser = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Dictionary<string, ClientConnection>> _byRoom = new(StringComparer.Ordinal);
    private readonly Dictionary<string, HashSet<string>> _roomsOf = new(StringComparer.Ordinal);

    public int Count => _all.Count;

    public ClientConnection? this[string connectionId] => _all.GetValueOrDefault(connectionId);

    public void Add(ClientConnection connection)
    {
        lock (_lock)
        {
            _all[connection.Id] = connection;
            Add(_byUser, connection.UserId, connection);
        }
    }

    public void Remove(ClientConnection connection)
    {
        lock (_lock)
        {
            if (!_all.TryRemove(connection.Id, out _))
            {
                return;
            }

            if (_roomsOf.Remove(connection.Id, out var rooms))
            {
                foreach (var room in rooms)
                {
                    Remove(_byRoom, room, connection.Id);
                }
            }

            Remove(_byUser, connection.UserId, connection.Id);
        }
    }

    /// <summary>From now on the connection gets the events of the room.</summary>
    public void Enter(ClientConnection connection, string roomId)
    {
        lock (_lock)
        {
            if (!_all.ContainsKey(connection.Id))
            {
                return;   // it ended meanwhile
            }

            Add(_byRoom, roomId, connection);
            (_roomsOf.TryGetValue(connection.Id, out var rooms) ? rooms : _roomsOf[connection.Id] = new(StringComparer.Ordinal)).Add(roomId);
        }
    }

    /// <summary>From now on no connection of the user gets events of the room.</summary>
    /// <returns>Those that got them until now.</returns>
    public IReadOnlyList<ClientConnection> Leave(string userId, string roomId)
    {
        lock (_lock)
        {
            var left = OfRoom(roomId).Where(connection => connection.UserId == userId).ToList();
            foreach (var connection in left)
            {
                Remove(_byRoom, roomId, connection.Id);
                _roomsOf.GetValueOrDefault(connection.Id)?.Remove(roomId);
            }

            return left;
        }
    }

    public IReadOnlyList<ClientConnection> OfUser(string userId)
    {
        lock (_lock)
        {
            return [.. _byUser.GetValueOrDefault(userId)?.Values ?? Enumerable.Empty<ClientConnection>()];
        }
    }

    /// <summary>Whether the user has a connection here.</summary>
    public bool HasUser(string userId)
    {
        lock (_lock)
        {
            return _byUser.ContainsKey(userId);
        }
    }

    /// <summary>Rooms that a connection of this instance is in.</summary>
    public IReadOnlyList<string> Rooms()
    {
        lock (_lock)
        {
            return [.. _byRoom.Keys];
        }
    }

    /// <summary>Sends an event to all connections in a room. Does not wait for any of them.</summary>
    public void SendToRoom(string roomId, string method, object argument, string? exceptUserId = null)
    {
        foreach (var connection in OfRoom(roomId))
        {
            if (connection.UserId != exceptUserId && !connection.Send(method, argument))
            {
                logger.LogWarning(
                    "Connection {ConnectionId} of {UserId} reads too slowly and is closed; the client catches up later", connection.Id, connection.UserId);
            }
        }
    }

    private IReadOnlyList<ClientConnection> OfRoom(string roomId)
    {
        lock (_lock)
        {
            return [.. _byRoom.GetValueOrDefault(roomId)?.Values ?? Enumerable.Empty<ClientConnection>()];
        }
    }

    private static void Add(Dictionary<string, Dictionary<string, ClientConnection>> index, string key, ClientConnection connection) =>
        (index.TryGetValue(key, out var found) ? found : index[key] = new(StringComparer.Ordinal))[connection.Id] = connection;

    private static void Remove(Dictionary<string, Dictionary<string, ClientConnection>> index, string key, string connectionId)
    {
        if (index.TryGetValue(key, out var found) && found.Remove(connectionId) && found.Count == 0)
        {
            index.Remove(key);
        }
    }
}
