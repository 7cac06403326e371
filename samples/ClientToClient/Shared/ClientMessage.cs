namespace ClientToClient;

/// <summary>A message on its way, and an entry of the store: the four fields are all there is to it.</summary>
/// <param name="Timestamp">When client A took it; in client B's entry, when it went to Kafka. Milliseconds, as a database's date has them.</param>
public sealed record ClientMessage(string From, string To, string Message, DateTimeOffset Timestamp);
