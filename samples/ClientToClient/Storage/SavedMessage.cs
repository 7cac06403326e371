namespace ClientToClient.Storage;

/// <summary>An entry of the collection <c>messages</c>. A message has one for each client that saved it.</summary>
/// <param name="MessageId">Which message.</param>
/// <param name="SavedBy">Which client saved it.</param>
/// <param name="Content">The message.</param>
internal sealed record SavedMessage(string MessageId, string SavedBy, ClientMessage Content)
{
    /// <summary>What a message has one entry of.</summary>
    public string Id => $"{MessageId}/{SavedBy}";
}
