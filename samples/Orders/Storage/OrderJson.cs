using System.Text.Json;
using Orders.Events;

namespace Orders.Storage;

/// <summary>Events as JSON: the same in the store and in the topic.</summary>
internal static class OrderJson
{
    private static readonly JsonSerializerOptions Options = new(JsonSerializerDefaults.Web);

    public static string Write(OrderEvent written) => JsonSerializer.Serialize(written, Options);

    public static OrderEvent Read(string json) =>
        JsonSerializer.Deserialize<OrderEvent>(json, Options) ?? throw new JsonException("The stored event is null.");

    /// <summary>The property <c>type</c> of an event's JSON.</summary>
    public static string TypeOf(string json)
    {
        using var parsed = JsonDocument.Parse(json);
        return parsed.RootElement.GetProperty("type").GetString()!;
    }

    /// <summary>What two requests have in common if they ask for the same order.</summary>
    public static string ContentOf(OrderCreated created) => Write(created with { OrderId = "", Version = 0, Timestamp = default });
}

/// <summary>What is common to all stores.</summary>
internal static class OrderEvents
{
    /// <summary>The events with the order's id, the versions that follow, and the time.</summary>
    public static IReadOnlyList<OrderEvent> Number(IReadOnlyList<OrderEvent> events, string orderId, int lastVersion, TimeProvider time)
    {
        // Milliseconds, as MongoDB stores them.
        var now = DateTimeOffset.FromUnixTimeMilliseconds(time.GetUtcNow().ToUnixTimeMilliseconds());
        return [.. events.Select((one, index) => one with { OrderId = orderId, Version = lastVersion + 1 + index, Timestamp = now })];
    }
}
