using System.ComponentModel.DataAnnotations;

namespace Chat.Contract;

/// <summary><c>POST /api/session</c>.</summary>
/// <param name="Name">1 to 32 letters, digits, spaces, and the characters . _ -</param>
public sealed record SignIn([property: Required, StringLength(32)] string? Name);

/// <summary>The answer: also set as the cookie <c>chat-session</c>. The token is for clients without cookies (<c>access_token</c>, <c>Bearer</c>).</summary>
public sealed record Session(string UserId, string Name, string? Token);

/// <summary>A message with its status, as REST answers it.</summary>
public sealed record MessageView(
    string MessageId, string RoomId, string UserId, string Text, long Sequence, DateTimeOffset Timestamp, MessageStatus Status);

/// <summary>
/// <c>GET /api/messages/room/{roomId}?limit=&amp;before=</c>: newest first; <c>?after=</c>: oldest first, and without gaps.
/// </summary>
/// <param name="RoomId">The room.</param>
/// <param name="Messages">The messages.</param>
/// <param name="Next">What to ask for the next page with (<c>before</c>, or <c>after</c>); null: there is none now.</param>
/// <param name="Head">The newest message's sequence.</param>
public sealed record MessagePage(string RoomId, IReadOnlyList<MessageView> Messages, string? Next, long Head);

/// <summary><c>GET /api/messages/unread/{userId}</c>.</summary>
public sealed record UnreadMessages(string UserId, long Total, IReadOnlyList<UnreadRoom> Rooms);

/// <summary>A room with unread messages: how many, and the oldest 50 of them, oldest first.</summary>
public sealed record UnreadRoom(string RoomId, long Unread, long ReadUpTo, IReadOnlyList<MessageView> Messages);

/// <summary><c>POST /api/messages/delivered</c>: a room up to a sequence, or messages by id.</summary>
public sealed record Delivered(
    [property: StringLength(64)] string? RoomId, [property: Range(0, long.MaxValue)] long? UpTo, [property: MaxLength(500)] IReadOnlyList<string>? MessageIds);

/// <summary>The answer: how far the user's markers are now, by room.</summary>
public sealed record Marked(IReadOnlyList<MarkerEvent> Markers);

/// <summary><c>PUT /api/messages/{messageId}/status</c>.</summary>
/// <param name="Status"><c>delivered</c> or <c>read</c>: this user received or read the room up to this message.</param>
public sealed record NewStatus([property: Required] MessageStatus? Status);

/// <summary>The answer: the message's status now.</summary>
public sealed record StatusView(string MessageId, string RoomId, long Sequence, MessageStatus Status);

/// <summary><c>GET /api/messages/stats/{roomId}</c>.</summary>
public sealed record RoomStats(
    string RoomId, long Total, StatusCounts ByStatus, IReadOnlyList<UserCounts> ByUser, DateTimeOffset? LastActivity);

/// <summary>Messages by status.</summary>
public sealed record StatusCounts(long Sent, long Delivered, long Read);

/// <summary>Messages that a user sent, by status.</summary>
public sealed record UserCounts(string UserId, long Total, StatusCounts ByStatus);
