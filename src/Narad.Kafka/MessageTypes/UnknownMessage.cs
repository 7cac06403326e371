namespace Narad.Kafka;

/// <summary>
/// A message whose type has no handler, where handlers are chosen by type: what the handler of <see cref="MessageTypeMap.Otherwise{THandler}"/> takes, and what
/// middleware sees of a message that <see cref="UnknownTypePolicy.Skip"/> finishes. Its value is in <see cref="MessageContext.RawValue"/>.
/// </summary>
/// <param name="Type">
/// The name of its type, as it came; of a name with more than 250 characters the first 251. Null where there is none, where it is not text, and where there are
/// several.
/// </param>
public sealed record UnknownMessage(string? Type);
