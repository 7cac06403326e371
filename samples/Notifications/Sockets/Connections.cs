using System.Net.WebSockets;
using Microsoft.Extensions.Options;

namespace Notifications.Sockets;

/// <summary>The connections of this instance. Thread-safe.</summary>
internal sealed class Connections
{
    private readonly NotificationsOptions _options;
    private readonly Lock _lock = new();

    // Under _lock. An array is replaced, never changed, so that a reader may walk through it outside of the lock.
    private readonly Dictionary<string, Connection[]> _byUser = new(StringComparer.Ordinal);
    private int _count;
    private bool _isStopping;

    public Connections(IOptions<NotificationsOptions> options, IHostApplicationLifetime lifetime)
    {
        _options = options.Value;
        lifetime.ApplicationStopping.Register(CloseAll);
    }

    public int Count => Volatile.Read(ref _count);

    public Connection[] Of(string userId)
    {
        lock (_lock)
        {
            return _byUser.GetValueOrDefault(userId, []);
        }
    }

    /// <summary>Registers a connection: what is published from now on is queued.</summary>
    /// <returns>The HTTP status of a refusal; null where it is registered.</returns>
    public int? TryAdd(Connection connection)
    {
        lock (_lock)
        {
            var own = _byUser.GetValueOrDefault(connection.UserId, []);
            if (_isStopping || _count >= _options.MaxConnections)
            {
                return StatusCodes.Status503ServiceUnavailable;
            }

            if (own.Length >= _options.MaxConnectionsPerUser)
            {
                return StatusCodes.Status429TooManyRequests;
            }

            _byUser[connection.UserId] = [.. own, connection];
            _count++;
            return null;
        }
    }

    public void Remove(Connection connection)
    {
        lock (_lock)
        {
            var others = Array.FindAll(_byUser[connection.UserId], other => other != connection);
            _count--;
            if (others.Length > 0)
            {
                _byUser[connection.UserId] = others;
            }
            else
            {
                _byUser.Remove(connection.UserId);
            }
        }
    }

    private void CloseAll()
    {
        Connection[] all;
        lock (_lock)
        {
            _isStopping = true;
            all = [.. _byUser.Values.SelectMany(static own => own)];
        }

        foreach (var connection in all)
        {
            connection.Close(WebSocketCloseStatus.EndpointUnavailable, "The server stops. Connect again.");
        }
    }
}
