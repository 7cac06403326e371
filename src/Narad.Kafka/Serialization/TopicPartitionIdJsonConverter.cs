using System.ComponentModel;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Narad.Kafka;

/// <summary>
/// Writes a <see cref="TopicPartitionId"/> as an object with <c>topic</c> and <c>partition</c>, and as <c>orders[3]</c> where it is a key of a dictionary.
/// Thread-safe.
/// </summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public sealed class TopicPartitionIdJsonConverter : JsonConverter<TopicPartitionId>
{
    /// <inheritdoc/>
    public override TopicPartitionId Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        if (reader.TokenType is not JsonTokenType.StartObject)
        {
            throw new JsonException("A partition of a topic is an object with a topic and a partition.");
        }

        string? topic = null;
        int? partition = null;
        while (reader.Read() && reader.TokenType is JsonTokenType.PropertyName)
        {
            var name = reader.GetString();
            reader.Read();
            if (string.Equals(name, nameof(TopicPartitionId.Topic), StringComparison.OrdinalIgnoreCase))
            {
                topic = reader.GetString();
            }
            else if (string.Equals(name, nameof(TopicPartitionId.Partition), StringComparison.OrdinalIgnoreCase))
            {
                partition = reader.GetInt32();
            }
            else
            {
                reader.Skip();
            }
        }

        return topic is not null && partition is { } number ? new TopicPartitionId(topic, number) : throw new JsonException("A partition of a topic needs a topic and a partition.");
    }

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter writer, TopicPartitionId value, JsonSerializerOptions options)
    {
        ArgumentNullException.ThrowIfNull(writer);
        ArgumentNullException.ThrowIfNull(options);
        writer.WriteStartObject();
        writer.WriteString(NameIn(options, nameof(TopicPartitionId.Topic)), value.Topic);
        writer.WriteNumber(NameIn(options, nameof(TopicPartitionId.Partition)), value.Partition);
        writer.WriteEndObject();
    }

    /// <inheritdoc/>
    public override TopicPartitionId ReadAsPropertyName(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        var text = reader.GetString() ?? "";
        var bracket = text.LastIndexOf('[');
        return bracket > 0 && text.EndsWith(']') && int.TryParse(text.AsSpan(bracket + 1, text.Length - bracket - 2), NumberStyles.None, CultureInfo.InvariantCulture, out var partition)
            ? new TopicPartitionId(text[..bracket], partition)
            : throw new JsonException("A partition of a topic as a name is written as topic[partition].");
    }

    /// <inheritdoc/>
    public override void WriteAsPropertyName(Utf8JsonWriter writer, TopicPartitionId value, JsonSerializerOptions options)
    {
        ArgumentNullException.ThrowIfNull(writer);
        writer.WritePropertyName(value.ToString());
    }

    private static string NameIn(JsonSerializerOptions options, string name) => options.PropertyNamingPolicy?.ConvertName(name) ?? name;
}
