using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace Narad.Kafka.Shared;

/// <summary>
/// Stands before a server: to its clients, <see cref="Cut"/> looks like a server that was killed, and <see cref="Restore"/> like its restart. The server
/// itself, which other tests use, notices nothing but closed connections. Thread-safe.
/// </summary>
internal sealed class TcpProxy : IAsyncDisposable
{
    private readonly string _host;
    private readonly int _port;
    private readonly ConcurrentDictionary<TcpClient, bool> _open = new();
    private readonly CancellationTokenSource _stopping = new();
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly Task _serving;
    private volatile bool _cut;

    public TcpProxy(string host, int port)
    {
        _host = host;
        _port = port;
        _listener.Start();
        Port = ((IPEndPoint)_listener.LocalEndpoint).Port;
        _serving = ServeAsync();
    }

    public int Port { get; }

    /// <summary>Closes all connections, and each new one at once.</summary>
    public void Cut()
    {
        _cut = true;
        CloseAll();
    }

    public void Restore() => _cut = false;

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        _listener.Dispose();
        await _serving.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        CloseAll();
        _stopping.Dispose();
    }

    private void CloseAll()
    {
        foreach (var client in _open.Keys)
        {
            client.Dispose();
        }
    }

    private async Task ServeAsync()
    {
        while (true)
        {
            var client = await _listener.AcceptTcpClientAsync(_stopping.Token);
            _ = ForwardAsync(client);
        }
    }

    private async Task ForwardAsync(TcpClient client)
    {
        using var server = new TcpClient();
        try
        {
            _open.TryAdd(client, true);
            if (_cut)
            {
                return;
            }

            await server.ConnectAsync(_host, _port, _stopping.Token);
            var (near, far) = (client.GetStream(), server.GetStream());
            await Task.WhenAny(near.CopyToAsync(far, _stopping.Token), far.CopyToAsync(near, _stopping.Token));
        }
        catch (Exception closed) when (closed is IOException or SocketException or OperationCanceledException or InvalidOperationException)
        {
            // That is what it is for.
        }
        finally
        {
            _open.TryRemove(client, out _);
            client.Dispose();
        }
    }
}
