using System.Text;

namespace Narad.Kafka.Consuming;

/// <summary>The value as the handler's type: bytes and text as they are, everything else through the deserializer. A tombstone is null.</summary>
internal static class MessageReader
{
    public static ValueTask<T> ReadAsync<T>(IMessageDeserializer deserializer, MessageContext context, CancellationToken cancellationToken)
    {
        if (context.RawValue is not { } value)
        {
            return new ValueTask<T>(default(T)!);
        }

        if (typeof(T) == typeof(ReadOnlyMemory<byte>))
        {
            return new ValueTask<T>((T)(object)value);
        }

        if (typeof(T) == typeof(byte[]))
        {
            return new ValueTask<T>((T)(object)value.ToArray());
        }

        if (typeof(T) == typeof(string))
        {
            return new ValueTask<T>((T)(object)Encoding.UTF8.GetString(value.Span));
        }

        return DeserializeAsync<T>(deserializer, value, context, cancellationToken);
    }

    private static async ValueTask<T> DeserializeAsync<T>(IMessageDeserializer deserializer, ReadOnlyMemory<byte> value, MessageContext context, CancellationToken cancellationToken)
    {
        try
        {
            return (T)(await deserializer.DeserializeAsync(value, typeof(T), context, cancellationToken).ConfigureAwait(false))!;
        }
        catch (Exception error) when (error is not MessageDeserializationException && !cancellationToken.IsCancellationRequested)
        {
            throw MessageDeserializationException.For(context, typeof(T), error);
        }
    }
}
