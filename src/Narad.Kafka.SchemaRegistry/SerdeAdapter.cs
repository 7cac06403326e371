using Confluent.Kafka;
using Confluent.SchemaRegistry;

namespace Narad.Kafka.SchemaRegistry;

/// <summary>One of Confluent's serializers, with its registry failures told from faults of the message. Thread-safe.</summary>
internal sealed class SerdeAdapter(IMessageSerializer? serializer, IMessageDeserializer? deserializer, RegistryConnection connection) : IMessageSerializer,
    IMessageDeserializer
{
    public static SerdeAdapter Create<T>(
        RegistryConnection connection, Func<ISchemaRegistryClient, IAsyncSerializer<T>>? serializer, Func<ISchemaRegistryClient,
            IAsyncDeserializer<T>>? deserializer) => new(
            serializer is null ? null : ConfluentSerializer.From(serializer(connection.Client)),
            deserializer is null ? null : ConfluentSerializer.From(deserializer(connection.Client)),
            connection);

    public bool CanWrite => serializer is not null;

    public bool CanRead => deserializer is not null;

    public async ValueTask<byte[]> SerializeAsync(object message, Type type, string topic, MessageHeaders headers, CancellationToken cancellationToken)
    {
        try
        {
            await connection.PrepareAsync(cancellationToken).ConfigureAwait(false);
            return await serializer!.SerializeAsync(message, type, topic, headers, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception error) when (RegistryConnection.IsUnavailable(error))
        {
            throw connection.Explain(error);
        }
    }

    public async ValueTask<object?> DeserializeAsync(ReadOnlyMemory<byte> data, Type type, MessageContext context, CancellationToken cancellationToken)
    {
        if (!SchemaFrame.IsFramed(data.Span))
        {
            throw new MessageDeserializationException(context, type, KafkaSchemaRegistry.NotFramed(data.Span));
        }

        try
        {
            await connection.PrepareAsync(cancellationToken).ConfigureAwait(false);
            return await deserializer!.DeserializeAsync(data, type, context, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception error) when (RegistryConnection.IsUnavailable(error))
        {
            throw connection.Explain(error);
        }
    }
}
