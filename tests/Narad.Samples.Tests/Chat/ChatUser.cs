using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net.Http.Json;
using Chat.Contract;
using Microsoft.AspNetCore.SignalR.Client;

namespace Narad.Samples.Tests.Chat;

/// <summary>A user with one connection, who keeps every event. Thread-safe.</summary>
internal sealed class ChatUser : IAsyncDisposable
{
    private readonly ConcurrentQueue<(string Method, object Argument)> _events = new();

    private ChatUser(HttpClient http, HubConnection connection)
    {
        (Http, Connection) = (http, connection);
        Keep<MessageEvent>("message");
        Keep<PresenceEvent>("presence");
        Keep<MemberEvent>("member");
        Keep<TypingEvent>("typing");
        Keep<MarkerEvent>("marker");
        Keep<RemovedEvent>("removed");
    }

    public HttpClient Http { get; }

    public HubConnection Connection { get; }

    public static async Task<ChatUser> ConnectAsync(Uri url, string name)
    {
        var http = await ChatHosts.SignInAsync(url, name);
        var user = new ChatUser(http, ChatHosts.Connection(url, http));
        await user.Connection.StartAsync();
        return user;
    }

    public IReadOnlyList<T> Events<T>() => [.. _events.Select(static one => one.Argument).OfType<T>()];

    public Task<RoomView> JoinAsync(string roomId) => Connection.InvokeAsync<RoomView>("Join", roomId);

    public Task<SendReceipt> SendAsync(string roomId, string text, Guid? messageId = null) =>
        Connection.InvokeAsync<SendReceipt>("Send", new NewMessage(roomId, $"{messageId ?? Guid.CreateVersion7()}", text));

    public async Task<MessagePage> PageAsync(string roomId, string query = "") =>
        (await Http.GetFromJsonAsync<MessagePage>($"/api/messages/room/{roomId}{query}"))!;

    /// <summary>Waits for an event.</summary>
    public async Task<T> UntilAsync<T>(Func<T, bool> condition, string what)
    {
        await UntilAsync(() => Events<T>().Any(condition), what);
        return Events<T>().First(condition);
    }

    public static Task UntilAsync(Func<bool> condition, string what) => UntilAsync(() => Task.FromResult(condition()), what);

    public static async Task UntilAsync(Func<Task<bool>> condition, string what)
    {
        var started = Stopwatch.GetTimestamp();
        while (!await condition())
        {
            if (Stopwatch.GetElapsedTime(started) > ChatHosts.MostWait)
            {
                throw new TimeoutException($"It did not happen within {ChatHosts.MostWait}: {what}.");
            }

            await Task.Delay(20);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await Connection.DisposeAsync();
        Http.Dispose();
    }

    private void Keep<T>(string method) => Connection.On<T>(method, argument => _events.Enqueue((method, argument!)));
}
