namespace Narad.Kafka;

/// <summary>What middleware sees of a message that <see cref="UnknownTypePolicy.Skip"/> finishes without a handler.</summary>
/// <param name="Type">The message's type; null where it has none.</param>
public sealed record UnknownMessage(string? Type);
