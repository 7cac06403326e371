using Confluent.Kafka;

namespace Narad.Kafka;

/// <summary>Makes Confluent's serializers and deserializers usable here. They get the topic and the message's headers, and may add to those.</summary>
public static class ConfluentSerializer
{
    /// <summary>Adapts a serializer.</summary>
    public static IMessageSerializer From<T>(ISerializer<T> serializer)
    {
        ArgumentNullException.ThrowIfNull(serializer);
        return new Serializer<T>((message, context) => Task.FromResult(serializer.Serialize(message, context)));
    }

    /// <summary>Adapts a serializer.</summary>
    public static IMessageSerializer From<T>(IAsyncSerializer<T> serializer)
    {
        ArgumentNullException.ThrowIfNull(serializer);
        return new Serializer<T>(serializer.SerializeAsync);
    }

    /// <summary>Adapts a deserializer.</summary>
    public static IMessageDeserializer From<T>(IDeserializer<T> deserializer)
    {
        ArgumentNullException.ThrowIfNull(deserializer);
        return new Deserializer<T>((data, context) => Task.FromResult(deserializer.Deserialize(data.Span, isNull: false, context)));
    }

    /// <summary>Adapts a deserializer.</summary>
    public static IMessageDeserializer From<T>(IAsyncDeserializer<T> deserializer)
    {
        ArgumentNullException.ThrowIfNull(deserializer);
        return new Deserializer<T>((data, context) => deserializer.DeserializeAsync(data, isNull: false, context));
    }

    private static Headers Copy(MessageHeaders headers)
    {
        var copy = new Headers();
        foreach (var header in headers)
        {
            copy.Add(header.Name, header.Value);
        }

        return copy;
    }

    private sealed class Serializer<T>(Func<T, SerializationContext, Task<byte[]>> serialize) : IMessageSerializer
    {
        public async ValueTask<byte[]> SerializeAsync(object message, Type type, string topic, MessageHeaders headers, CancellationToken cancellationToken)
        {
            if (message is not T typed)
            {
                throw new NotSupportedException($"The serializer given is for {typeof(T)}, and a {message.GetType()} was sent.");
            }

            var copy = Copy(headers);
            var before = copy.Count;
            var bytes = await serialize(typed, new SerializationContext(MessageComponentType.Value, topic, copy)).ConfigureAwait(false);
            for (var i = before; i < copy.Count; i++)
            {
                headers.Add(copy[i].Key, copy[i].GetValueBytes());
            }

            return bytes;
        }
    }

    private sealed class Deserializer<T>(Func<ReadOnlyMemory<byte>, SerializationContext, Task<T>> deserialize) : IMessageDeserializer
    {
        public async ValueTask<object?> DeserializeAsync(ReadOnlyMemory<byte> data, Type type, MessageContext context, CancellationToken cancellationToken)
        {
            if (!type.IsAssignableFrom(typeof(T)))
            {
                throw new NotSupportedException($"The deserializer given makes {typeof(T)}, and the handler takes {type}.");
            }

            return await deserialize(data, new SerializationContext(MessageComponentType.Value, context.Topic, Copy(context.Headers))).ConfigureAwait(false);
        }
    }
}
