using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Narad.Kafka.Serialization;

namespace Narad.Kafka;

/// <summary>
/// Messages as JSON, through System.Text.Json: camelCase by default (<see cref="JsonSerializerDefaults.Web"/>). Given options are used as they
/// are, source-generated contexts included; where an application is compiled ahead of time they must name such a context. Thread-safe.
/// </summary>
public sealed class JsonMessageSerializer : IMessageSerializer, IMessageDeserializer
{
    private static readonly Lazy<JsonSerializerOptions> Defaults = new(() => Completed(new JsonSerializerOptions(JsonSerializerDefaults.Web)));

    private readonly Lazy<JsonSerializerOptions> _options;

    /// <summary>Creates the serializer.</summary>
    /// <param name="options">Used as they are and read-only from the first message on; null for camelCase.</param>
    public JsonMessageSerializer(JsonSerializerOptions? options = null) => _options = options is null ? Defaults : new(() => Completed(options));

    /// <summary>
    /// The JSON of a message, UTF-8. A message declared as an interface or a base class is written whole, by its own type, as is an envelope's <c>data</c>;
    /// where the declared type has <c>JsonDerivedType</c> or <c>JsonPolymorphic</c> attributes, or a converter, those decide.
    /// </summary>
    /// <exception cref="InvalidOperationException">
    /// The application was published without JSON by reflection (trimmed or ahead of time), and the options name no source-generated context.
    /// </exception>
    /// <exception cref="NotSupportedException">
    /// The options' source-generated context does not know the declared type or the message's own, the declared type names derived types and this is none of
    /// them, or the type has no JSON form.
    /// </exception>
    public byte[] Serialize<T>(T message) => typeof(T).IsValueType || message is null || (message.GetType() == typeof(T) && message is not ISourced)
        ? JsonSerializer.SerializeToUtf8Bytes(message, (JsonTypeInfo<T>)TypeInfo(typeof(T)))
        : Serialize(message, typeof(T));

    /// <inheritdoc cref="Serialize{T}(T)"/>
    /// <param name="message">The message.</param>
    /// <param name="type">The type that the message is declared as.</param>
    public byte[] Serialize(object message, Type type)
    {
        ArgumentNullException.ThrowIfNull(type);
        var written = JsonSerializer.SerializeToUtf8Bytes(message, Written(message, type));
        return message is ISourced { Body: { } body } envelope && Written(body, envelope.BodyType) is var data && data.Type != envelope.BodyType
            ? RuntimeTypes.WithData(written, JsonSerializer.SerializeToUtf8Bytes(body, data))
            : written;
    }

    /// <summary>The message in UTF-8 JSON.</summary>
    /// <exception cref="JsonException">The bytes are not JSON, or do not fit the type.</exception>
    /// <exception cref="NotSupportedException">The options' source-generated context does not know the type, or the type has no JSON form.</exception>
    public T? Deserialize<T>(ReadOnlySpan<byte> data) => JsonSerializer.Deserialize(data, (JsonTypeInfo<T>)TypeInfo(typeof(T)));

    /// <inheritdoc cref="Deserialize{T}(ReadOnlySpan{byte})"/>
    public object? Deserialize(ReadOnlySpan<byte> data, Type type) => JsonSerializer.Deserialize(data, TypeInfo(type));

    /// <inheritdoc/>
    public ValueTask<byte[]> SerializeAsync(object message, Type type, string topic, MessageHeaders headers, CancellationToken cancellationToken) =>
        new(Serialize(message, type));

    /// <inheritdoc/>
    public ValueTask<object?> DeserializeAsync(ReadOnlyMemory<byte> data, Type type, MessageContext context, CancellationToken cancellationToken) =>
        new(Deserialize(data.Span, type));

    private static JsonSerializerOptions Completed(JsonSerializerOptions options)
    {
        if (options.TypeInfoResolver is not null)
        {
            options.MakeReadOnly();
            return options;
        }

        if (!JsonSerializer.IsReflectionEnabledByDefault)
        {
            throw new InvalidOperationException(
                "This application was published without JSON by reflection: set KafkaOptions.Json to options whose TypeInfoResolver is a source-generated " +
                "context (a partial class MessagesContext : JsonSerializerContext with a [JsonSerializable(typeof(T))] for each message type).");
        }

        return WithReflection(options);
    }

    [UnconditionalSuppressMessage("Trimming", "IL2026", Justification = "Only reached where the application kept JSON by reflection.")]
    [UnconditionalSuppressMessage("AOT", "IL3050", Justification = "Only reached where the application kept JSON by reflection.")]
    private static JsonSerializerOptions WithReflection(JsonSerializerOptions options)
    {
        options.MakeReadOnly(populateMissingResolver: true);
        return options;
    }

    // The contract that writes all of a message.
    private JsonTypeInfo Written(object? message, Type declared)
    {
        if (message?.GetType() is not { } own || own == declared)
        {
            return TypeInfo(declared);
        }

        return _options.Value.TryGetTypeInfo(declared, out var contract) && !RuntimeTypes.Truncates(contract) ? contract : TypeInfo(own);
    }

    private JsonTypeInfo TypeInfo(Type type)
    {
        ArgumentNullException.ThrowIfNull(type);
        return _options.Value.TryGetTypeInfo(type, out var info)
            ? info
            : throw new NotSupportedException(
                $"The JSON options know nothing of {type}: add [JsonSerializable(typeof({type.Name}))] to the context that KafkaOptions.Json names, " +
                $"or combine it with a DefaultJsonTypeInfoResolver.");
    }
}
