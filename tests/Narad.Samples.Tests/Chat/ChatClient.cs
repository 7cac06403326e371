using System.Globalization;
using System.Net.Http.Json;
using System.Threading.Channels;
using Chat.Contract;
using Microsoft.AspNetCore.SignalR;
using Microsoft.AspNetCore.SignalR.Client;

namespace Narad.Samples.Tests.Chat;

/// <summary>
/// What a client does: it keeps a mark up to which it has every message, fetches where a message does not continue at the mark, shows each message once, and
/// comes back on another instance when the connection ends. Messages: thread-safe.
/// </summary>
internal sealed class ChatClient : IAsyncDisposable
{
    private readonly IReadOnlyList<Func<Uri>> _servers;
    private readonly string _name;
    private readonly string _roomId;
    private readonly CancellationTokenSource _stop = new();
    private readonly Lock _lock = new();
    private readonly SortedDictionary<long, MessageEvent> _shown = [];
    private readonly HashSet<string> _ids = new(StringComparer.Ordinal);
    private readonly Channel<bool> _behind = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly Task _running;
    private HubConnection? _connection;
    private HttpClient? _http;
    private int _server;
    private long _mark;

    /// <param name="servers">Where the instances listen; may change when one is started again.</param>
    /// <param name="first">With which of them it begins.</param>
    /// <param name="name">The user.</param>
    /// <param name="roomId">The room.</param>
    public ChatClient(IReadOnlyList<Func<Uri>> servers, int first, string name, string roomId)
    {
        (_servers, _server, _name, _roomId) = (servers, first, name, roomId);
        _running = Task.Run(RunAsync);
    }

    /// <summary>Fetches that a gap caused.</summary>
    public int Gaps { get; private set; }

    /// <summary>Messages that came twice; each was shown once.</summary>
    public int Repeated { get; private set; }

    public IReadOnlyList<string> Shown()
    {
        lock (_lock)
        {
            return [.. _shown.Values.Select(static message => message.Text)];
        }
    }

    /// <summary>Sends a message, again and again with the same id until the server says <c>sent</c>.</summary>
    public async Task SendAsync(string text)
    {
        var message = new NewMessage(_roomId, Guid.CreateVersion7().ToString(), text);
        while (true)
        {
            _stop.Token.ThrowIfCancellationRequested();
            try
            {
                if (_connection is { State: HubConnectionState.Connected } connection)
                {
                    await connection.InvokeAsync<SendReceipt>("Send", message, _stop.Token);
                    return;
                }
            }
            catch (Exception failure) when (IsConnection(failure))
            {
                // Again, below.
            }

            await Task.Delay(20, _stop.Token);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stop.Dispose();
    }

    private async Task RunAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                await ConnectedAsync(_servers[_server % _servers.Count]());
            }
            catch (Exception failure) when (IsConnection(failure))
            {
                // The next instance.
            }

            _server++;
            await Task.Delay(50, _stop.Token);
        }
    }

    private async Task ConnectedAsync(Uri url)
    {
        using var http = await ChatHosts.SignInAsync(url, _name, _stop.Token);
        _http = http;
        var ended = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var connection = ChatHosts.Connection(url, http);
        connection.On<MessageEvent>("message", Receive);
        connection.Closed += _ =>
        {
            ended.TrySetResult();
            return Task.CompletedTask;
        };
        await connection.StartAsync(_stop.Token);
        var room = await connection.InvokeAsync<RoomView>("Join", _roomId, _stop.Token);
        _connection = connection;
        if (room.Head > _mark)
        {
            _behind.Writer.TryWrite(true);
        }

        while (!ended.Task.IsCompleted)
        {
            var behind = _behind.Reader.WaitToReadAsync(_stop.Token).AsTask();
            await Task.WhenAny(ended.Task, behind);
            if (_behind.Reader.TryRead(out _))
            {
                await FetchAsync(http);
            }

            _stop.Token.ThrowIfCancellationRequested();
        }
    }

    private void Receive(MessageEvent message)
    {
        lock (_lock)
        {
            if (message.Previous == _mark)
            {
                Show(message);
                _mark = message.Sequence;
            }
            else if (message.Sequence > _mark)
            {
                Gaps++;
                _behind.Writer.TryWrite(true);   // it comes with those that are missing before it
            }
            else
            {
                Repeated++;
            }
        }
    }

    private async Task FetchAsync(HttpClient http)
    {
        while (true)
        {
            var page = (await http.GetFromJsonAsync<MessagePage>(
                string.Create(CultureInfo.InvariantCulture, $"/api/messages/room/{_roomId}?after={_mark}&limit=200"), _stop.Token))!;
            lock (_lock)
            {
                foreach (var message in page.Messages.Where(message => message.Sequence > _mark))
                {
                    Show(new MessageEvent(message.MessageId, message.RoomId, message.UserId, message.Text, message.Sequence, 0, message.Timestamp));
                    _mark = message.Sequence;
                }
            }

            if (page.Next is null)
            {
                return;
            }
        }
    }

    private void Show(MessageEvent message)
    {
        if (_ids.Add(message.MessageId))
        {
            _shown.Add(message.Sequence, message);
        }
        else
        {
            Repeated++;
        }
    }

    private bool IsConnection(Exception failure) => failure is HttpRequestException or IOException or InvalidOperationException or HubException
        or System.Net.WebSockets.WebSocketException or TimeoutException || (failure is OperationCanceledException && !_stop.IsCancellationRequested);
}
