using System.Collections.Concurrent;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json;

namespace Narad.Samples.Tests.Notifications;

/// <summary>A WebSocket client of a user. Frames: thread-safe; the rest is not.</summary>
internal sealed class Device : IAsyncDisposable
{
    private readonly ClientWebSocket _socket = new();
    private readonly ConcurrentQueue<JsonElement> _frames = new();
    private readonly bool _acknowledges;
    private Task _receiving = Task.CompletedTask;

    private Device(bool acknowledges) => _acknowledges = acknowledges;

    /// <summary>The ids of the notifications that came, in their order.</summary>
    public IEnumerable<string> Ids =>
        _frames.Where(static frame => frame.TryGetProperty("id", out _)).Select(static frame => frame.GetProperty("id").GetString()!);

    /// <summary>Everything that came.</summary>
    public IReadOnlyCollection<JsonElement> Frames => _frames;

    public WebSocketCloseStatus? CloseStatus => _socket.CloseStatus;

    /// <summary>Connects, as the document's page does.</summary>
    /// <param name="url">Where a server instance listens.</param>
    /// <param name="userId">Whose device.</param>
    /// <param name="acknowledges">Whether each notification is acknowledged.</param>
    /// <param name="query">More parameters.</param>
    /// <param name="origin">The page that it says to be.</param>
    public static async Task<Device> ConnectAsync(Uri url, string userId, bool acknowledges = false, string query = "", string? origin = null)
    {
        var device = new Device(acknowledges);
        device._socket.Options.SetRequestHeader("Origin", origin);
        await device._socket.ConnectAsync(new UriBuilder(url) { Scheme = "ws", Query = $"userId={userId}{query}" }.Uri, CancellationToken.None);
        device._receiving = Task.Run(device.ReceiveAsync);
        return device;
    }

    /// <summary>Waits until so many notifications came.</summary>
    public Task ReceivedAsync(int count) => NotificationsHost.UntilAsync(() => Ids.Count() >= count, $"{count} notifications come");

    /// <summary>Waits until a change of states came.</summary>
    public async Task<JsonElement> ChangedAsync(string state)
    {
        JsonElement found = default;
        await NotificationsHost.UntilAsync(
            () =>
            {
                found = _frames.Where(static frame => frame.TryGetProperty("changed", out _)).Select(static frame => frame.GetProperty("changed"))
                    .FirstOrDefault(changed => changed.GetProperty("state").GetString() == state);
                return found.ValueKind is JsonValueKind.Object;
            },
            $"it is told that something is {state}");
        return found;
    }

    public Task AcknowledgeAsync(params string[] ids) => SendAsync(JsonSerializer.Serialize(new { ack = ids }));

    public Task SendAsync(string text) =>
        _socket.SendAsync(Encoding.UTF8.GetBytes(text), WebSocketMessageType.Text, endOfMessage: true, CancellationToken.None);

    /// <summary>Waits until the server closes the connection.</summary>
    public async Task<WebSocketCloseStatus?> ClosedAsync()
    {
        await _receiving.WaitAsync(TimeSpan.FromMinutes(1));
        return _socket.CloseStatus;
    }

    public async ValueTask DisposeAsync()
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(10));
        try
        {
            await _socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, "", limit.Token);
            await _receiving.WaitAsync(limit.Token);
        }
        catch (Exception gone) when (gone is WebSocketException or OperationCanceledException or ObjectDisposedException)
        {
            // The server was the first.
        }

        _socket.Dispose();
    }

    private async Task ReceiveAsync()
    {
        var buffer = new byte[64 * 1024];
        try
        {
            while (true)
            {
                var length = 0;
                ValueWebSocketReceiveResult part;
                do
                {
                    part = await _socket.ReceiveAsync(buffer.AsMemory(length), CancellationToken.None);
                    length += part.Count;
                }
                while (!part.EndOfMessage);

                if (part.MessageType is WebSocketMessageType.Close)
                {
                    await _socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, "", CancellationToken.None);
                    return;
                }

                var frame = JsonDocument.Parse(buffer.AsMemory(0, length).ToArray()).RootElement;
                _frames.Enqueue(frame);
                if (_acknowledges && frame.TryGetProperty("id", out var id))
                {
                    await AcknowledgeAsync(id.GetString()!);
                }
            }
        }
        catch (Exception broken) when (broken is WebSocketException or ObjectDisposedException or InvalidOperationException)
        {
            // The server is gone.
        }
    }
}
