using System.Text.Json;
using System.Text.Json.Serialization;

namespace Notifications.Sockets;

/// <summary>The JSON of frames. Thread-safe.</summary>
internal static class FrameJson
{
    private static readonly JsonSerializerOptions Options = new(JsonSerializerDefaults.Web)
    {
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase) },
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    };

    /// <summary>A notification: the fields of the topic's message, its state, and its position.</summary>
    public static ReadOnlyMemory<byte> Of(StoredNotification notification) => JsonSerializer.SerializeToUtf8Bytes(notification, Options);

    /// <summary><c>{"changed":{"state","ids","upTo"}}</c>.</summary>
    public static ReadOnlyMemory<byte> Of(StateChange change) => JsonSerializer.SerializeToUtf8Bytes(new Changed(change), Options);

    /// <summary>The ids in <c>{"ack":["id"]}</c>; null: it is something else.</summary>
    public static IReadOnlyList<string>? ReadAck(ReadOnlyMemory<byte> utf8)
    {
        try
        {
            var ids = JsonSerializer.Deserialize<Acknowledgement>(utf8.Span, Options)?.Ack;
            return ids is { Count: > 0 } && ids.All(static id => id is not null) ? ids : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private sealed record Changed([property: JsonPropertyName("changed")] StateChange Change);

    private sealed record Acknowledgement(IReadOnlyList<string>? Ack);
}
