using System.Collections.Concurrent;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json;

namespace Narad.Samples.Tests.Notifications;

/// <summary>
/// A device that connects again, to the next server instance, until it is disposed; it acknowledges what it gets, and knows ids, as the page does.
/// Thread-safe.
/// </summary>
internal sealed class ReconnectingDevice : IAsyncDisposable
{
    private readonly Func<IReadOnlyList<Uri>> _servers;
    private readonly string _query;
    private readonly ConcurrentQueue<string> _shown = new();
    private readonly HashSet<string> _known = new(StringComparer.Ordinal);
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _running;
    private int _repeatedInOneConnection;
    private int _connections;

    public ReconnectingDevice(Func<IReadOnlyList<Uri>> servers, string userId, string token, int first)
    {
        _servers = servers;
        _query = $"userId={userId}&token={token}";
        _connections = first;
        _running = Task.Run(RunAsync);
    }

    /// <summary>Ids in the order in which they were shown first.</summary>
    public IReadOnlyCollection<string> Shown => _shown;

    /// <summary>How often a connection got an id twice.</summary>
    public int RepeatedInOneConnection => _repeatedInOneConnection;

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _running;
        _stop.Dispose();
    }

    private async Task RunAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                var servers = _servers();
                using var socket = new ClientWebSocket();
                using var limit = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
                limit.CancelAfter(TimeSpan.FromSeconds(10));
                await socket.ConnectAsync(new UriBuilder(servers[_connections++ % servers.Count]) { Scheme = "ws", Query = _query }.Uri, limit.Token);
                await ReceiveAsync(socket);
            }
            catch (Exception broken) when (broken is WebSocketException or OperationCanceledException)
            {
                await Task.Delay(50);   // the device's pace
            }
        }
    }

    private async Task ReceiveAsync(ClientWebSocket socket)
    {
        var inThisConnection = new HashSet<string>(StringComparer.Ordinal);
        var buffer = new byte[16 * 1024];
        while (true)
        {
            var received = await socket.ReceiveAsync(buffer, _stop.Token);
            if (received.MessageType is WebSocketMessageType.Close)
            {
                await socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, "", _stop.Token);
                return;
            }

            var id = JsonDocument.Parse(buffer.AsMemory(0, received.Count)).RootElement.GetProperty("id").GetString()!;
            if (!inThisConnection.Add(id))
            {
                Interlocked.Increment(ref _repeatedInOneConnection);
            }

            if (_known.Add(id))
            {
                _shown.Enqueue(id);
            }

            await socket.SendAsync(
                Encoding.UTF8.GetBytes(JsonSerializer.Serialize(new { ack = (string[])[id] })), WebSocketMessageType.Text, endOfMessage: true, _stop.Token);
        }
    }
}
