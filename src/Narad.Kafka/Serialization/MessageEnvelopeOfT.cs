using System.Text.Json.Serialization;
using Narad.Kafka.Serialization;

namespace Narad.Kafka;

/// <summary>
/// A message with what is known about it: <c>id</c>, <c>type</c>, <c>version</c>, <c>timestamp</c>, <c>source</c>, <c>data</c>. These names are
/// written whatever the naming policy of the JSON options says. <see cref="MessageEnvelope.Create{T}"/> fills everything in.
/// </summary>
/// <typeparam name="T">The message's type.</typeparam>
public sealed record MessageEnvelope<T> : ISourced, IIdentified
{
    /// <summary>Unique; a GUIDv7 by default, so that ids sort by time.</summary>
    [JsonPropertyName("id")]
    public required string Id { get; init; }

    /// <summary>What the message is called; handlers may be chosen by it.</summary>
    [JsonPropertyName("type")]
    public required string Type { get; init; }

    /// <summary>The version of the message's shape. Default 1.0.</summary>
    [JsonPropertyName("version")]
    public string Version { get; init; } = MessageEnvelope.DefaultVersion;

    /// <summary>When the message was made, UTC.</summary>
    [JsonPropertyName("timestamp")]
    public DateTimeOffset Timestamp
    {
        get;
        init => field = value.ToUniversalTime();
    }

    /// <summary>Who made the message; null becomes the client id of the service that sends it.</summary>
    [JsonPropertyName("source")]
    public string? Source { get; init; }

    /// <summary>The message.</summary>
    [JsonPropertyName("data")]
    public required T Data { get; init; }

    object? ISourced.Body => Data;

    Type ISourced.BodyType => typeof(T);

    object ISourced.WithSource(string source) => Source is null ? this with { Source = source } : this;
}
