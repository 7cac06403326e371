namespace Narad.Kafka;

/// <summary>A message on its way into a store.</summary>
/// <param name="Id">Its id: what makes the write idempotent.</param>
/// <param name="Document">What is stored; null: the message as it came, with its coordinates. Its type is one that the store knows.</param>
/// <param name="Message">The deserialized message; null for a tombstone.</param>
/// <param name="Context">Where it came from.</param>
/// <param name="Version">Decides in <see cref="MessageWriteMode.ReplaceIfNewer"/>.</param>
public sealed record StoredMessage(string Id, object? Document, object? Message, MessageContext Context, long Version = 0);
