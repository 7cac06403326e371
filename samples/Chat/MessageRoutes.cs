using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Security.Claims;
using Chat.Contract;
using Chat.Rooms;
using Chat.Security;

namespace Chat;

/// <summary><c>/api/messages</c>: for clients that come back, and for those without a hub.</summary>
internal static class MessageRoutes
{
    public static void MapMessages(this WebApplication app)
    {
        var messages = app.MapGroup("/api/messages").RequireAuthorization().RequireRateLimiting(Limits.Rest);

        messages.MapGet("/room/{roomId}", static async (
            string roomId, ClaimsPrincipal user, RoomDirectory rooms, CancellationToken cancellationToken,
            [Range(1, 200)] int limit = 50, [Range(0, long.MaxValue)] long? before = null, [Range(0, long.MaxValue)] long? after = null) =>
        {
            if (await rooms.OfMemberAsync(roomId, IdOf(user), cancellationToken) is not { } room)
            {
                return NoMember(roomId);
            }

            var head = room.Head;
            var page = after is { } mark
                ? await rooms.AfterAsync(room, mark, limit, cancellationToken)
                : await rooms.BeforeAsync(room, before ?? long.MaxValue, limit, cancellationToken);
            var next = page.Count == limit ? page[^1].Sequence.ToString(CultureInfo.InvariantCulture) : null;
            return Results.Json(new MessagePage(roomId, RoomDirectory.View(room, page), next, head));
        });

        messages.MapGet("/unread/{userId}", static async (
            string userId, ClaimsPrincipal user, RoomDirectory rooms, CancellationToken cancellationToken) =>
            userId == IdOf(user)
                ? Results.Json(await rooms.UnreadAsync(userId, cancellationToken))
                : Results.Problem(statusCode: StatusCodes.Status403Forbidden, title: "These are another user's messages"));

        messages.MapPost("/delivered", static async (
            Delivered body, ClaimsPrincipal user, RoomDirectory rooms, ReadReceipts receipts, CancellationToken cancellationToken) =>
        {
            if ((body.RoomId is null) != (body.UpTo is null) || (body.RoomId is null) == (body.MessageIds is null))
            {
                return Results.ValidationProblem(new Dictionary<string, string[]> { ["messageIds"] = ["Send 'messageIds', or 'roomId' and 'upTo'."] });
            }

            var userId = IdOf(user);
            IReadOnlyList<(Room Room, long UpTo)> marks;
            if (body.RoomId is null)
            {
                var found = await rooms.FindAsync(userId, [.. body.MessageIds!.Select(IdOf).OfType<string>()], cancellationToken);
                marks = [.. found.GroupBy(static one => one.Room).Select(static room => (room.Key, room.Max(static one => one.Message.Sequence)))];
            }
            else if (await rooms.OfMemberAsync(body.RoomId, userId, cancellationToken) is { } room)
            {
                marks = [(room, body.UpTo!.Value)];
            }
            else
            {
                return NoMember(body.RoomId);
            }

            await Task.WhenAll(marks.Select(mark => receipts.AddAsync(mark.Room, userId, mark.UpTo, readUpTo: 0)));
            return Results.Json(new Marked([.. marks.Select(mark => MarkerOf(mark.Room, userId, mark.UpTo))]));
        });

        messages.MapPut("/{messageId}/status", static async (
            string messageId, NewStatus body, ClaimsPrincipal user, RoomDirectory rooms, ReadReceipts receipts, CancellationToken cancellationToken) =>
        {
            var userId = IdOf(user);
            if (IdOf(messageId) is not { } id || await rooms.FindAsync(userId, [id], cancellationToken) is not [var (room, message), ..])
            {
                return Results.Problem(
                    statusCode: StatusCodes.Status404NotFound, title: "There is no such message", detail: $"No room of yours has a message '{messageId}'.");
            }

            await (body.Status switch
            {
                MessageStatus.Read => receipts.AddAsync(room, userId, message.Sequence, message.Sequence),
                MessageStatus.Delivered => receipts.AddAsync(room, userId, message.Sequence, readUpTo: 0),
                _ => Task.CompletedTask,   // it is sent, and never goes back
            });

            // The sender's own receipt says nothing about the message; another's was acknowledged just now.
            var known = room.Receipts.StatusOf(message.UserId, message.Sequence);
            var status = message.UserId != userId && body.Status > known ? body.Status.Value : known;
            return Results.Json(new StatusView(id, room.RoomId, message.Sequence, status));
        });

        messages.MapGet("/stats/{roomId}", static async (string roomId, ClaimsPrincipal user, RoomDirectory rooms, CancellationToken cancellationToken) =>
            await rooms.OfMemberAsync(roomId, IdOf(user), cancellationToken) is { } room
                ? Results.Json(await rooms.StatsAsync(room, cancellationToken))
                : NoMember(roomId));
    }

    private static string IdOf(ClaimsPrincipal user) => user.FindFirstValue(ClaimTypes.NameIdentifier)!;

    private static string? IdOf(string messageId) => Guid.TryParse(messageId, out var id) ? id.ToString() : null;

    private static MarkerEvent MarkerOf(Room room, string userId, long deliveredUpTo)
    {
        var now = room[userId].With(new Receipt(userId, Math.Min(deliveredUpTo, room.Head), 0));
        return new MarkerEvent(room.RoomId, userId, now.DeliveredUpTo, now.ReadUpTo);
    }

    // The same whether the room exists or not: who is no member learns nothing.
    private static IResult NoMember(string roomId) => Results.Problem(
        statusCode: StatusCodes.Status403Forbidden, title: "You are no member of this room", detail: $"Join '{roomId}' first.");
}
