namespace Narad.Kafka.Serialization;

/// <summary>A message whose <c>type</c> was read.</summary>
/// <param name="Type">The type; null where there is none.</param>
/// <param name="Payload">An envelope's <c>data</c>; the whole of a flat message.</param>
internal readonly record struct TypedJson(string? Type, ReadOnlyMemory<byte> Payload);
