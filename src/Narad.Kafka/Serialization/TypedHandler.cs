namespace Narad.Kafka.Serialization;

/// <summary>What becomes of the messages of one type's name: how they are read, and who handles them. Immutable.</summary>
/// <param name="whole">Whether the handler takes the message as it came, envelope and all.</param>
/// <param name="decode">Reads the message.</param>
/// <param name="handle">Handles it.</param>
internal sealed class TypedHandler(bool whole, TypedHandler.Decoding decode, TypedHandler.Handling handle)
{
    private TypedHandler? _ofEnvelope;

    public delegate ValueTask<object?> Decoding(MessageDecoder decoder, ReadOnlyMemory<byte> data, MessageContext context, CancellationToken cancellationToken);

    public delegate Task Handling(object? message, MessageContext context, CancellationToken cancellationToken);

    public bool Whole => whole;

    /// <summary>Whether the message was an envelope's <c>data</c>.</summary>
    public bool IsOfEnvelope { get; private init; }

    /// <summary>The same, for a message that is an envelope's <c>data</c>.</summary>
    public TypedHandler OfEnvelope => _ofEnvelope ??= new TypedHandler(whole, decode, handle) { IsOfEnvelope = true };   // either of two is right

    public Decoding Decode => decode;

    public Handling Handle => handle;
}
