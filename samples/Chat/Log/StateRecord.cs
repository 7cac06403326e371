using System.Text.Json.Serialization;

namespace Chat.Log;

/// <summary>
/// A record of the topic <c>message-persistence</c>: what else is stored. A receipt, whose key is the room, or the end of a user's sessions, whose key is
/// the user.
/// </summary>
/// <param name="Kind">What it is.</param>
/// <param name="UserId">Whose it is.</param>
/// <param name="RoomId">The room of a receipt.</param>
/// <param name="DeliveredUpTo">Received up to this sequence.</param>
/// <param name="ReadUpTo">Read up to this sequence.</param>
/// <param name="Time">Sessions that began up to then are over.</param>
internal sealed record StateRecord(StateKind Kind, string UserId, string? RoomId, long DeliveredUpTo, long ReadUpTo, DateTimeOffset Time)
{
    [JsonIgnore]
    public bool IsComplete => UserId is not null && (Kind is StateKind.SignedOut || RoomId is not null);
}

[JsonConverter(typeof(JsonStringEnumConverter<StateKind>))]
internal enum StateKind
{
    Receipt,
    SignedOut,
}
