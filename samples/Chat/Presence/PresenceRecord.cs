using System.Text.Json.Serialization;

namespace Chat.Presence;

/// <summary>What instances tell each other. Nothing of it is stored.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="InstanceId">Who says it.</param>
/// <param name="Version">How many changes the instance told.</param>
/// <param name="Users">All users of the instance.</param>
/// <param name="UserId">Who went online or offline, or types.</param>
/// <param name="RoomId">Where the user types.</param>
internal sealed record PresenceRecord(
    PresenceKind Kind, string InstanceId, long Version = 0, IReadOnlyList<string>? Users = null, string? UserId = null, string? RoomId = null);

[JsonConverter(typeof(JsonStringEnumConverter<PresenceKind>))]
internal enum PresenceKind
{
    /// <summary>Asks the others for their users.</summary>
    Ask,

    /// <summary>All users of the instance.</summary>
    Users,

    /// <summary>A user's first connection here.</summary>
    Online,

    /// <summary>A user's last connection here ended.</summary>
    Offline,

    /// <summary>The instance runs.</summary>
    Heartbeat,

    /// <summary>The instance stops.</summary>
    Stopped,

    /// <summary>A user types.</summary>
    Typing,
}
