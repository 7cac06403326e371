using Chat.Contract;
using Chat.Log;
using Chat.Presence;
using Chat.Rooms;
using Chat.Security;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.SignalR;
using Narad.Kafka;

namespace Chat.Connections;

/// <summary>The hub at <c>/chat</c>: see <see cref="Contract"/>.</summary>
[Authorize]
internal sealed class ChatHub(
    ClientConnections connections, RoomDirectory rooms, PresenceService presence, ChatLog log, ReadReceipts receipts, Limits limits, ChatOptions options) : Hub
{
    private string UserId => Context.UserIdentifier!;

    private ClientConnection Connection => connections[Context.ConnectionId] ?? throw Refused(HubErrors.Unavailable, "The connection is closing.");

    public override Task OnConnectedAsync()
    {
        var connection = new ClientConnection(
            Context, Clients.Caller, UserId, SessionAuthentication.SignedInAtOf(Context.User!), options.QueueCapacity);
        connections.Add(connection);
        presence.Update(UserId);
        _ = connection.RunAsync();
        return base.OnConnectedAsync();
    }

    public override Task OnDisconnectedAsync(Exception? exception)
    {
        if (connections[Context.ConnectionId] is { } connection)
        {
            connections.Remove(connection);
            presence.Update(UserId);
        }

        return base.OnDisconnectedAsync(exception);
    }

    /// <summary>Makes the user a member, and lets this connection get the room's events.</summary>
    public Task<RoomView> Join(string roomId) => CallAsync(async () =>
    {
        if (!RoomRules.IsRoom(roomId))
        {
            throw Refused(HubErrors.Invalid, RoomRules.RoomHint);
        }

        var room = await rooms.LoadAsync(roomId, Context.ConnectionAborted);
        if (!room[UserId].IsMember)
        {
            await (room[UserId].State is MemberState.Removed
                ? throw Refused(HubErrors.Forbidden, $"You were removed from '{roomId}'.")
                : log.ChangeAsync(room, RecordKind.Joined, UserId));
        }

        // First the events, then the view: what comes in between is in both, and nothing is in neither.
        connections.Enter(Connection, roomId);
        if (room[UserId].IsMember)
        {
            return rooms.View(room, UserId);
        }

        connections.Leave(UserId, roomId);
        throw Refused(HubErrors.Forbidden, $"You were removed from '{roomId}'.");
    });

    /// <summary>Ends the user's membership, on all of its connections.</summary>
    public Task Leave(string roomId) => CallAsync(async () => await log.ChangeAsync(await MemberRoomAsync(roomId), RecordKind.Left, UserId));

    /// <summary>Removes another member for good; the room's owner may.</summary>
    public Task Remove(string roomId, string userId) => CallAsync(async () =>
    {
        var room = await MemberRoomAsync(roomId);
        if (room.OwnerId != UserId || userId == UserId || !room[userId].IsMember)
        {
            throw Refused(HubErrors.Forbidden, $"Only {room.OwnerId}, who created '{roomId}', removes others, and only members.");
        }

        await log.ChangeAsync(room, RecordKind.Removed, userId);
    });

    /// <summary>Sends a message. Answers when Kafka acknowledged it.</summary>
    public async Task<SendReceipt> Send(NewMessage message)
    {
        if (!limits.MaySend(UserId))
        {
            throw Refused(HubErrors.RateLimited, $"You may send {options.MessagesPerSecond} messages a second. Try again in a second.");
        }

        if (!Guid.TryParse(message?.MessageId, out var messageId))
        {
            throw Refused(HubErrors.Invalid, "messageId is no UUID.");
        }

        if (!RoomRules.IsText(message.Text))
        {
            throw Refused(HubErrors.Invalid, $"text has 1 to {ChatOptions.MaxTextBytes} bytes of UTF-8, not only spaces.");
        }

        return await TryAsync(async () => await log.SendAsync(await MemberRoomAsync(message.RoomId), UserId, messageId.ToString(), message.Text!));
    }

    public Task Delivered(string roomId, long upTo) => MarkAsync(roomId, upTo, readUpTo: 0);

    public Task Read(string roomId, long upTo) => MarkAsync(roomId, upTo, upTo);

    /// <summary>Tells the others in the room. More than a few a second are left out.</summary>
    public async Task Typing(string roomId)
    {
        if (limits.MayCall(UserId) && await rooms.OfMemberAsync(roomId, UserId, Context.ConnectionAborted) is not null)
        {
            presence.SetTyping(roomId, UserId);
        }
    }

    /// <summary>The rooms that the user joined.</summary>
    public Task<IReadOnlyList<RoomSummary>> Rooms() => CallAsync(() => rooms.SummariesAsync(UserId, Context.ConnectionAborted));

    // Does not wait for Kafka: a receipt that is lost with an instance is made again.
    private Task MarkAsync(string roomId, long deliveredUpTo, long readUpTo) => CallAsync(async () =>
    {
        _ = receipts.AddAsync(await MemberRoomAsync(roomId), UserId, deliveredUpTo, readUpTo);
    });

    private async Task<Room> MemberRoomAsync(string? roomId) => await rooms.OfMemberAsync(roomId, UserId, Context.ConnectionAborted)
        ?? throw Refused(HubErrors.Forbidden, $"You are no member of '{roomId}'.");

    private Task CallAsync(Func<Task> call) => CallAsync(async () =>
    {
        await call();
        return true;
    });

    private async Task<T> CallAsync<T>(Func<Task<T>> call) =>
        limits.MayCall(UserId) ? await TryAsync(call) : throw Refused(HubErrors.RateLimited, "Too many calls. Try again in a second.");

    private static async Task<T> TryAsync<T>(Func<Task<T>> call)
    {
        try
        {
            return await call();
        }
        catch (Exception failure) when (failure is NaradKafkaException or TimeoutException)
        {
            throw Refused(
                HubErrors.Unavailable,
                $"{(failure is StoreUnavailableException ? "The storage" : "Kafka")} does not answer. Try again; a message with the same id.");
        }
    }

    private static HubException Refused(string code, string text) => new($"{code}: {text}");
}
