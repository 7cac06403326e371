using System.Text.Json.Serialization;
using Chat.Rooms;

namespace Chat.Log;

/// <summary>
/// A record of the topic <c>chat-messages</c>; its key is the room. Messages and changes of membership are in one log, so that every instance agrees which
/// messages a member still gets.
/// </summary>
/// <param name="Kind">What it is.</param>
/// <param name="RoomId">The room.</param>
/// <param name="UserId">Who wrote, joined, left or was removed.</param>
/// <param name="MessageId">The message, or an id of this change.</param>
/// <param name="Text">The message's text.</param>
/// <param name="Timestamp">When the server took it; milliseconds.</param>
internal sealed record ChatRecord(RecordKind Kind, string RoomId, string UserId, string MessageId, string? Text, DateTimeOffset Timestamp)
{
    /// <summary>Whether all parts are there. A record of another producer may lack some.</summary>
    [JsonIgnore]
    public bool IsComplete => RoomId is not null && UserId is not null && MessageId is not null && (Kind is not RecordKind.Message || Text is not null);

    public Message ToMessage(long sequence) => new(MessageId, RoomId, UserId, Text!, sequence, Timestamp);

    public MemberChange ToChange(long sequence) => new(UserId, StateAfter(Kind), sequence);

    private static MemberState StateAfter(RecordKind kind) => kind switch
    {
        RecordKind.Joined => MemberState.Joined,
        RecordKind.Removed => MemberState.Removed,
        _ => MemberState.Left,
    };
}

[JsonConverter(typeof(JsonStringEnumConverter<RecordKind>))]
internal enum RecordKind
{
    Message,
    Joined,
    Left,
    Removed,
}
