namespace Narad.Kafka.Serialization;

/// <summary>One entry of a <see cref="MessageTypeMap"/>: how its messages are read, and who handles them. Immutable.</summary>
internal sealed class MessageRoute
{
    private MessageRoute(
        bool whole,
        Func<MessageDecoder, ReadOnlyMemory<byte>, MessageContext, CancellationToken, ValueTask<object?>> decode,
        Func<object?, MessageContext, CancellationToken, Task> handle)
    {
        Whole = whole;
        Decode = decode;
        Handle = handle;
    }

    /// <summary>Whether the handler takes the message as it came, envelope and all.</summary>
    public bool Whole { get; }

    public Func<MessageDecoder, ReadOnlyMemory<byte>, MessageContext, CancellationToken, ValueTask<object?>> Decode { get; }

    public Func<object?, MessageContext, CancellationToken, Task> Handle { get; }

    public static MessageRoute To<T>(Func<T, MessageContext, CancellationToken, Task> handler) => new(
        RawSerialization.IsRaw<T>() || typeof(ISourced).IsAssignableFrom(typeof(T)),
        async (decoder, data, context, cancellationToken) => await decoder.DecodeAsync<T>(data, context, cancellationToken).ConfigureAwait(false),
        (message, context, cancellationToken) => handler((T)message!, context, cancellationToken));
}
