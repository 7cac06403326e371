using System.Text.Json.Serialization;
using Narad.Kafka;

namespace QuickStart;

/// <summary>A user has logged in: <c>{"type":"USER_LOGIN","userId":…,"timestamp":…}</c>, and what else the sender knows.</summary>
[MessageType("USER_LOGIN")]
internal sealed record UserLogin(string UserId, DateTimeOffset Timestamp)
{
    [JsonPropertyOrder(-1)]
    public string Type => "USER_LOGIN";

    /// <summary>Further properties, beside the others.</summary>
    [JsonExtensionData]
    public Dictionary<string, object>? Metadata { get; init; }
}

/// <summary>A user has done something: <c>{"type":"USER_ACTION","userId":…,"action":…,"timestamp":…,"data":{…}}</c>.</summary>
[MessageType("USER_ACTION")]
internal sealed record UserAction(string UserId, string Action, DateTimeOffset Timestamp, Dictionary<string, object>? Data = null)
{
    [JsonPropertyOrder(-1)]
    public string Type => "USER_ACTION";
}

/// <summary>Something has happened to the system.</summary>
internal sealed record SystemEvent(string Type, string Service);
