using ClientToClient.Storage;
using Narad.Kafka;

namespace ClientToClient.ClientA;

/// <summary>Lists what client B could not handle, and sends one of them to it again.</summary>
internal sealed class DeadLetters(IKafkaService kafka, IMessageRepository messages, ILogger<DeadLetters> logger)
{
    private const int PageSize = 50;

    /// <summary>A page of dead letters, in the order in which they failed.</summary>
    /// <param name="after">The continuation of the page before it; null or empty for the first.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    public async Task<IResult> ReadAsync(string? after, CancellationToken cancellationToken)
    {
        DeadLetterPage page;
        try
        {
            var before = string.IsNullOrEmpty(after) ? null : after;
            page = await kafka.DeadLetters.GetPageAsync(ClientMessage.DeadLetterTopic, size: PageSize, after: before, cancellationToken: cancellationToken);
        }
        catch (ArgumentException) when (after is not null)
        {
            return Results.ValidationProblem(new Dictionary<string, string[]> { ["after"] = ["'after' is no continuation of a page."] });
        }
        catch (KafkaTopicException failure)
        {
            return Results.Problem(statusCode: StatusCodes.Status503ServiceUnavailable, title: "The dead letters cannot be read", detail: failure.Message);
        }

        var ids = page.Items.Select(IdOf).OfType<string>().Distinct(StringComparer.Ordinal).ToList();
        var saved = await messages.FindSavedAsync(ids, "clientB", cancellationToken);
        var items = new List<Item>(page.Items.Count);
        foreach (var letter in page.Items)
        {
            var message = await MessageOfAsync(letter, cancellationToken);
            items.Add(new Item(
                letter.Position.Partition, letter.Position.Offset, letter.Time, message?.From, message?.To, message?.Message, letter.Attempts,
                letter.ExceptionMessage, IdOf(letter) is { } id && saved.Contains(id)));
        }

        return Results.Json(new Page(items, page.Continuation));
    }

    /// <summary>Sends a dead letter to client B's group again, with all its retries.</summary>
    public async Task<IResult> RedriveAsync(Redrive which, CancellationToken cancellationToken)
    {
        var position = new TopicPartitionOffsetId(ClientMessage.DeadLetterTopic, which.Partition!.Value, which.Offset!.Value);
        if (await kafka.DeadLetters.GetAsync(position, cancellationToken) is not { } letter)
        {
            return Results.Problem(statusCode: StatusCodes.Status404NotFound, title: "There is no such dead letter", detail: $"{position}");
        }

        try
        {
            var record = await kafka.DeadLetters.RedriveAsync(letter, retryTopic: ClientMessage.RetryTopic, cancellationToken: CancellationToken.None);
            logger.LogInformation("Dead letter {DeadLetter} sent again: it is in {Topic} at offset {Offset}", position, record.Topic, record.Offset);
            return Results.Json(new { record.Topic, record.Partition, record.Offset });
        }
        catch (InvalidOperationException error)
        {
            return Results.Problem(statusCode: StatusCodes.Status409Conflict, title: "The dead letter cannot be sent again", detail: error.Message);
        }
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

    /// <summary>Some dead letters, and what to ask for the next ones with; null at the end.</summary>
    internal sealed record Page(IReadOnlyList<Item> Items, string? Continuation);

    /// <summary>A dead letter, and whether client B has saved its message meanwhile.</summary>
    internal sealed record Item(
        int Partition, long Offset, DateTimeOffset Time, string? From, string? To, string? Message, int Attempts, string? Error, bool Saved);
}
