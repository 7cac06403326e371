using Confluent.Kafka;
using Confluent.SchemaRegistry;

namespace Narad.Kafka.SchemaRegistry;

/// <summary>
/// One of Confluent's serializers, with failures of the registry told from faults of the message. Its client is a <see cref="ResilientRegistryClient"/>.
/// Thread-safe.
/// </summary>
internal sealed class SerdeAdapter(IMessageSerializer? serializer, IMessageDeserializer? deserializer) : IMessageSerializer, IMessageDeserializer
{
    public static SerdeAdapter Create<T>(
        ISchemaRegistryClient client, Func<ISchemaRegistryClient, IAsyncSerializer<T>>? serializer, Func<ISchemaRegistryClient,
            IAsyncDeserializer<T>>? deserializer) => new(
            serializer is null ? null : ConfluentSerializer.From(serializer(client)),
            deserializer is null ? null : ConfluentSerializer.From(deserializer(client)));

    public bool CanWrite => serializer is not null;

    public bool CanRead => deserializer is not null;

    public async ValueTask<byte[]> SerializeAsync(object message, Type type, string topic, MessageHeaders headers, CancellationToken cancellationToken)
    {
        try
        {
            return await serializer!.SerializeAsync(message, type, topic, headers, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception error) when (FromRegistry(error) is { } cause)
        {
            throw cause is UnknownSchemaException
                ? new SchemaMismatchException($"{char.ToUpperInvariant(cause.Message[0])}{cause.Message[1..]}", "", [], cause.InnerException)
                : cause;
        }
    }

    public async ValueTask<object?> DeserializeAsync(ReadOnlyMemory<byte> data, Type type, MessageContext context, CancellationToken cancellationToken)
    {
        if (!SchemaFrame.IsFramed(data.Span) && !SchemaFrame.IsInHeader(context))
        {
            throw new MessageDeserializationException(context, type, SchemaFrame.WhatIsWrong(data.Span));
        }

        try
        {
            return await deserializer!.DeserializeAsync(data, type, context, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception error) when (FromRegistry(error) is { } cause)
        {
            throw cause is SerializationUnavailableException ? cause : new MessageDeserializationException(context, type, cause.Message.TrimEnd('.'), cause);
        }
    }

    // Serializers wrap what their client threw.
    private static Exception? FromRegistry(Exception? error) => error switch
    {
        null => null,
        SerializationUnavailableException or UnknownSchemaException or SchemaMismatchException => error,
        _ => FromRegistry(error.InnerException),
    };
}
