namespace Narad.Kafka.MessageTypes;

/// <summary>A message whose type was looked for.</summary>
/// <param name="Type">The name of its type; null where there is none that can be read.</param>
/// <param name="Payload">What is to be read: an envelope's <c>data</c>, else the whole.</param>
internal readonly record struct TypedJson(string? Type, ReadOnlyMemory<byte> Payload);
