using System.Globalization;
using System.Text.Json;

namespace Narad.Kafka.Serialization;

/// <summary>Base of the converters of coordinates: an object with a topic, a partition and, where the type has one, an offset. Thread-safe.</summary>
/// <typeparam name="T">The type of the coordinates.</typeparam>
internal abstract class CoordinatesJsonConverter<T> : PropertyNameJsonConverter<T>
    where T : struct
{
    private const string Topic = nameof(TopicPartitionOffsetId.Topic);
    private const string Partition = nameof(TopicPartitionOffsetId.Partition);
    private const string Offset = nameof(TopicPartitionOffsetId.Offset);

    public sealed override T Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        if (reader.TokenType is not JsonTokenType.StartObject)
        {
            throw new JsonException($"A {typeof(T).Name} is an object.");
        }

        string? topic = null;
        int? partition = null;
        long? offset = null;
        while (reader.Read() && reader.TokenType is JsonTokenType.PropertyName)
        {
            var name = reader.GetString();
            reader.Read();
            if (string.Equals(name, Topic, StringComparison.OrdinalIgnoreCase))
            {
                topic = reader.GetString();
            }
            else if (string.Equals(name, Partition, StringComparison.OrdinalIgnoreCase))
            {
                partition = reader.GetInt32();
            }
            else if (string.Equals(name, Offset, StringComparison.OrdinalIgnoreCase))
            {
                offset = reader.GetInt64();
            }
            else
            {
                reader.Skip();
            }
        }

        return topic is not null && partition is { } number && Create(topic, number, offset) is { } value
            ? value
            : throw new JsonException($"A property of a {typeof(T).Name} is missing.");
    }

    public sealed override void Write(Utf8JsonWriter writer, T value, JsonSerializerOptions options)
    {
        var (topic, partition, offset) = PartsOf(value);
        writer.WriteStartObject();
        writer.WriteString(NameIn(options, Topic), topic);
        writer.WriteNumber(NameIn(options, Partition), partition);
        if (offset is { } number)
        {
            writer.WriteNumber(NameIn(options, Offset), number);
        }

        writer.WriteEndObject();
    }

    /// <summary>Creates the value; null where the parts do not suffice.</summary>
    protected abstract T? Create(string topic, int partition, long? offset);

    /// <summary>Returns the parts of a value.</summary>
    protected abstract (string Topic, int Partition, long? Offset) PartsOf(T value);

    /// <summary>Parses <c>topic[partition]</c>; null where the text is none.</summary>
    protected static TopicPartitionId? PartitionOf(string text)
    {
        var bracket = text.LastIndexOf('[');
        return bracket > 0 && text.EndsWith(']')
            && int.TryParse(text.AsSpan(bracket + 1, text.Length - bracket - 2), NumberStyles.None, CultureInfo.InvariantCulture, out var partition)
            ? new TopicPartitionId(text[..bracket], partition)
            : null;
    }
}

/// <summary>Converts a <see cref="TopicPartitionId"/>.</summary>
internal sealed class TopicPartitionIdJsonConverter : CoordinatesJsonConverter<TopicPartitionId>
{
    protected override string Format => "topic[partition]";

    protected override TopicPartitionId? Create(string topic, int partition, long? offset) => new TopicPartitionId(topic, partition);

    protected override (string Topic, int Partition, long? Offset) PartsOf(TopicPartitionId value) => (value.Topic, value.Partition, null);

    protected override string TextOf(TopicPartitionId value) => value.ToString();

    protected override bool TryParse(string text, out TopicPartitionId value)
    {
        var parsed = PartitionOf(text);
        value = parsed.GetValueOrDefault();
        return parsed is not null;
    }
}

/// <summary>Converts a <see cref="TopicPartitionOffsetId"/>.</summary>
internal sealed class TopicPartitionOffsetIdJsonConverter : CoordinatesJsonConverter<TopicPartitionOffsetId>
{
    protected override string Format => "topic[partition]@offset";

    protected override TopicPartitionOffsetId? Create(string topic, int partition, long? offset) =>
        offset is { } number ? new TopicPartitionOffsetId(topic, partition, number) : null;

    protected override (string Topic, int Partition, long? Offset) PartsOf(TopicPartitionOffsetId value) => (value.Topic, value.Partition, value.Offset);

    protected override string TextOf(TopicPartitionOffsetId value) => value.ToString();

    protected override bool TryParse(string text, out TopicPartitionOffsetId value)
    {
        var at = text.LastIndexOf('@');
        var isParsed = long.TryParse(text.AsSpan(at + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var offset) && at > 0;
        var partition = isParsed ? PartitionOf(text[..at]) : null;
        value = partition is { } id ? new TopicPartitionOffsetId(id, offset) : default;
        return partition is not null;
    }
}
