using System.Net.Http.Json;
using Chat.Contract;
using Microsoft.AspNetCore.Http.Connections;
using Microsoft.AspNetCore.SignalR.Client;

namespace ChatLoad;

/// <summary>A signed-in user in one room. Events are handled one after the other; <see cref="SendAsync"/> and <see cref="Arrived"/> are thread-safe.</summary>
internal sealed class ChatUser : IAsyncDisposable
{
    private readonly HubConnection _connection;
    private readonly HashSet<string> _ids = new(StringComparer.Ordinal);
    private long _last;
    private int _arrived;

    private ChatUser(HubConnection connection, string roomId, Action<ChatUser, MessageEvent> onMessage)
    {
        RoomId = roomId;
        _connection = connection;
        connection.On<MessageEvent>("message", message =>
        {
            Doubled += _ids.Add(message.MessageId) ? 0 : 1;
            OutOfOrder += message.Sequence > _last ? 0 : 1;
            Volatile.Write(ref _last, Math.Max(_last, message.Sequence));
            onMessage(this, message);
            Volatile.Write(ref _arrived, _ids.Count);
        });
        connection.Closed += _ =>
        {
            IsClosed = true;
            return Task.CompletedTask;
        };
    }

    public string RoomId { get; }

    /// <summary>Different messages that arrived.</summary>
    public int Arrived => Volatile.Read(ref _arrived);

    public int Doubled { get; private set; }

    public int OutOfOrder { get; private set; }

    /// <summary>Whether the server closed the connection. It is not opened again: the messages that it misses count as lost.</summary>
    public bool IsClosed { get; private set; }

    /// <summary>From when a message was due to its arrival here.</summary>
    public List<TimeSpan> Deliveries { get; } = [];

    public static async Task<ChatUser> StartAsync(HttpClient http, Uri server, string name, string roomId, Action<ChatUser, MessageEvent> onMessage)
    {
        using var answer = await http.PostAsJsonAsync(new Uri(server, "/api/session"), new { name });
        answer.EnsureSuccessStatusCode();
        var session = (await answer.Content.ReadFromJsonAsync<SignedIn>())!;
        var connection = new HubConnectionBuilder()
            .WithUrl(new Uri(server, "/chat"), connect =>
            {
                connect.AccessTokenProvider = () => Task.FromResult<string?>(session.Token);
                connect.Transports = HttpTransportType.WebSockets;
                connect.SkipNegotiation = true;
            })
            .Build();
        var user = new ChatUser(connection, roomId, onMessage);
        await connection.StartAsync();
        await connection.InvokeAsync<RoomView>("Join", roomId);
        return user;
    }

    /// <summary>Completes when Kafka acknowledged the message.</summary>
    public Task<SendReceipt> SendAsync(NewMessage message) => _connection.InvokeAsync<SendReceipt>("Send", message);

    /// <summary>Says that this user has read what arrived, as the page does.</summary>
    public Task ReadAsync() => Volatile.Read(ref _last) is > 0 and var last && !IsClosed ? _connection.SendAsync("Read", RoomId, last) : Task.CompletedTask;

    public ValueTask DisposeAsync() => _connection.DisposeAsync();

    private sealed record SignedIn(string Token);
}
