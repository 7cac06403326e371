namespace Chat.Contract;

// What the server sends to its clients. The method's name stands in front; the argument is one object.

/// <summary><c>message</c>: a message of a room that the connection joined.</summary>
/// <param name="MessageId">The message; show each id once.</param>
/// <param name="RoomId">The room.</param>
/// <param name="UserId">The sender.</param>
/// <param name="Text">The text, as it was sent: escape it.</param>
/// <param name="Sequence">Its place in the room. It grows, and has gaps.</param>
/// <param name="Previous">
/// The sequence of the message before it in the room; 0: it is the first one; -1: this instance does not know. A client whose mark is not this fetches what
/// is above its mark.
/// </param>
/// <param name="Timestamp">When it was sent; milliseconds.</param>
public sealed record MessageEvent(
    string MessageId, string RoomId, string UserId, string Text, long Sequence, long Previous, DateTimeOffset Timestamp);

/// <summary><c>presence</c>: a member went online or offline.</summary>
public sealed record PresenceEvent(string RoomId, string UserId, bool Online);

/// <summary><c>member</c>: somebody joined or left the room.</summary>
public sealed record MemberEvent(string RoomId, string UserId, bool Joined);

/// <summary><c>typing</c>: somebody else types; show it for 3 s.</summary>
public sealed record TypingEvent(string RoomId, string UserId);

/// <summary><c>marker</c>: how far a member has received and read. Neither goes backwards.</summary>
public sealed record MarkerEvent(string RoomId, string UserId, long DeliveredUpTo, long ReadUpTo);

/// <summary><c>removed</c>: the user left the room, or was removed from it; this connection gets nothing more of it.</summary>
/// <param name="RoomId">The room.</param>
/// <param name="Reason"><c>left</c> or <c>removed</c>.</param>
public sealed record RemovedEvent(string RoomId, string Reason);
