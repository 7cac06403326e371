using ClientToClient.Storage;
using Narad.Kafka;
using Narad.Samples;

namespace ClientToClient.ClientA;

/// <summary>What the page shows of the messages that client B could not handle.</summary>
internal sealed class DeadLetters(IMessageRepository messages) : IDeadLetterView
{
    public IReadOnlyList<DeadLetterTopic> Topics { get; } = [new(ClientMessage.DeadLetterTopic, ClientMessage.RetryTopic)];

    public async Task<IReadOnlyList<object>> ShowAsync(IReadOnlyList<DeadLetter> letters, CancellationToken cancellationToken)
    {
        var ids = letters.Select(IdOf).OfType<string>().Distinct(StringComparer.Ordinal).ToList();
        var saved = await messages.FindSavedAsync(ids, "clientB", cancellationToken);
        var items = new List<object>(letters.Count);
        foreach (var letter in letters)
        {
            var message = await MessageOfAsync(letter, cancellationToken);
            items.Add(new Item(
                ClientMessage.DeadLetterTopic, letter.Position.Partition, letter.Position.Offset, letter.Time, message?.From, message?.To, message?.Message,
                letter.Attempts, letter.ExceptionMessage, IdOf(letter) is { } id && saved.Contains(id)));
        }

        return items;
    }

    private static string? IdOf(DeadLetter letter) => letter.Headers.GetText(ClientMessage.IdHeader);

    // Null where it is no message of this system, which may be why it is here.
    private static async Task<ClientMessage?> MessageOfAsync(DeadLetter letter, CancellationToken cancellationToken)
    {
        try
        {
            return await letter.ReadAsync<ClientMessage>(cancellationToken);
        }
        catch (MessageDeserializationException)
        {
            return null;
        }
    }

    /// <summary>A dead letter, and whether client B has saved its message meanwhile.</summary>
    internal sealed record Item(
        string Topic, int Partition, long Offset, DateTimeOffset Time, string? From, string? To, string? Message, int Attempts, string? Error, bool Saved);
}
