namespace Chat.Contract;

// What the hub at /chat takes and answers. On the wire: JSON, camelCase.
// A refused call is a HubException "code: text", with a code of HubErrors.

/// <summary>What <c>Send</c> takes.</summary>
/// <param name="RoomId">A room that the user joined.</param>
/// <param name="MessageId">A UUID that the client made. The same message sent again has the same one, and is shown once.</param>
/// <param name="Text">1 to 4,096 bytes of UTF-8, not only spaces.</param>
public sealed record NewMessage(string? RoomId, string? MessageId, string? Text);

/// <summary>What <c>Send</c> answers, once Kafka acknowledged the message.</summary>
/// <param name="MessageId">The message.</param>
/// <param name="Status"><c>sent</c>.</param>
/// <param name="Sequence">
/// Its place in the room. Of a message that was sent again it may be higher than the place where everybody sees the message: the sequence of the
/// <c>message</c> event, and of the history, counts.
/// </param>
public sealed record SendReceipt(string MessageId, MessageStatus Status, long Sequence);

/// <summary>What <c>Join</c> answers.</summary>
/// <param name="RoomId">The room.</param>
/// <param name="Head">The newest message's sequence; 0: none. Everything above it arrives live, everything up to it can be fetched.</param>
/// <param name="FirstSequence">The oldest message's sequence; 0: none.</param>
/// <param name="ReadUpTo">Up to where this user has read; a new member up to where it joined.</param>
/// <param name="OwnerId">Who created the room by joining first, and may remove others.</param>
/// <param name="Members">Its members.</param>
public sealed record RoomView(string RoomId, long Head, long FirstSequence, long ReadUpTo, string? OwnerId, IReadOnlyList<MemberView> Members);

/// <summary>A member of a room, or a former one (<see cref="IsMember"/> is false) whose receipts still count.</summary>
public sealed record MemberView(string UserId, bool Online, bool IsMember, long DeliveredUpTo, long ReadUpTo);

/// <summary>What <c>Rooms</c> answers for each room that the user joined, the most recently used first.</summary>
/// <param name="RoomId">The room.</param>
/// <param name="Unread">Messages of others above <paramref name="ReadUpTo"/>.</param>
/// <param name="ReadUpTo">Up to where the user has read.</param>
/// <param name="Head">The newest message's sequence; 0: none.</param>
/// <param name="LastText">The newest message.</param>
/// <param name="LastActivity">When it was sent.</param>
public sealed record RoomSummary(string RoomId, long Unread, long ReadUpTo, long Head, string? LastText, DateTimeOffset? LastActivity);

/// <summary>The codes at the start of a <c>HubException</c>'s text.</summary>
public static class HubErrors
{
    /// <summary>The user is no member of the room, was removed from it, or may not do this in it.</summary>
    public const string Forbidden = "forbidden";

    /// <summary>The arguments are not what the method takes.</summary>
    public const string Invalid = "invalid";

    /// <summary>The user sends too much; try again after a second.</summary>
    public const string RateLimited = "rateLimited";

    /// <summary>Kafka or the storage does not answer. Send again with the same message id.</summary>
    public const string Unavailable = "unavailable";
}
