using System.Text.Json;
using System.Text.Json.Serialization;

namespace Narad.Kafka.Configuration;

/// <summary>Writes brokers as JSON the way they are shown: not at all where they may hold a secret.</summary>
internal sealed class ShownBrokers : JsonConverter<string>
{
    /// <inheritdoc/>
    public override string? Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => reader.GetString();

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter writer, string value, JsonSerializerOptions options) => writer.WriteStringValue(BrokerList.Public(value));
}
