using System.ComponentModel;
using System.Text.Json;
using System.Text.Json.Serialization;
using Narad.Kafka.Serialization;

namespace Narad.Kafka;

/// <summary>
/// Converts the values of this library that need a JSON form of their own. Public because source-generated JSON code of an application creates it. Thread-safe.
/// </summary>
/// <remarks>
/// <list type="bullet">
/// <item><see cref="TopicPartitionId"/>: an object with <c>topic</c> and <c>partition</c>; as a property name <c>orders[3]</c>.</item>
/// <item><see cref="TopicPartitionOffsetId"/>: an object with <c>topic</c>, <c>partition</c> and <c>offset</c>; as a property name <c>orders[3]@7</c>.</item>
/// <item><see cref="MessageKey"/>: text where the bytes are printable UTF-8, else <c>{"base64":"…"}</c>; no key is <c>null</c>. As a property name, the text or
/// <c>base64:…</c>.</item>
/// <item><see cref="Exception"/>: an object with <c>type</c> and <c>message</c>, without the stack trace. It cannot be read.</item>
/// </list>
/// </remarks>
[EditorBrowsable(EditorBrowsableState.Never)]
public sealed class KafkaJsonConverter : JsonConverterFactory
{
    /// <inheritdoc/>
    public override bool CanConvert(Type typeToConvert)
    {
        ArgumentNullException.ThrowIfNull(typeToConvert);
        return Create(typeToConvert) is not null;
    }

    /// <inheritdoc/>
    public override JsonConverter? CreateConverter(Type typeToConvert, JsonSerializerOptions options)
    {
        ArgumentNullException.ThrowIfNull(typeToConvert);
        return Create(typeToConvert);
    }

    private static JsonConverter? Create(Type type) => type switch
    {
        _ when type == typeof(TopicPartitionId) => new TopicPartitionIdJsonConverter(),
        _ when type == typeof(TopicPartitionOffsetId) => new TopicPartitionOffsetIdJsonConverter(),
        _ when type == typeof(MessageKey) => new MessageKeyJsonConverter(),
        _ when type.IsAssignableTo(typeof(Exception)) => new ExceptionJsonConverter(),
        _ => null,
    };
}
