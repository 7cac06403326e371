namespace Narad.Kafka.Serialization;

/// <summary>Reads a message as the type that its name is declared for.</summary>
internal delegate ValueTask<object?> TypedDecoding(
    MessageDecoder decoder, ReadOnlyMemory<byte> data, MessageContext context, CancellationToken cancellationToken);

/// <summary>Calls the handler of a type.</summary>
internal delegate Task TypedHandling(object? message, MessageContext context, CancellationToken cancellationToken);

/// <summary>What becomes of the messages of one type's name: how they are read, and who handles them. Immutable.</summary>
/// <param name="whole">Whether the handler takes the message as it came, envelope and all.</param>
/// <param name="decode">Reads the message.</param>
/// <param name="handle">Handles it.</param>
internal sealed class TypedHandler(bool whole, TypedDecoding decode, TypedHandling handle)
{
    private TypedHandler? _ofEnvelope;

    public bool Whole => whole;

    /// <summary>Whether the message was an envelope's <c>data</c>.</summary>
    public bool IsOfEnvelope { get; private init; }

    /// <summary>The same, for a message that is an envelope's <c>data</c>.</summary>
    public TypedHandler OfEnvelope => _ofEnvelope ??= new TypedHandler(whole, decode, handle) { IsOfEnvelope = true };   // either of two is right

    public TypedDecoding Decode => decode;

    public TypedHandling Handle => handle;
}
