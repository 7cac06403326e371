using ClientToClient;
using ClientToClient.ClientB;
using ClientToClient.Storage;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Narad.Kafka;

namespace Narad.Samples.Tests.ClientToClient;

/// <summary>Client B's handler, without a broker.</summary>
public sealed class ReceiveMessageTests
{
    private static readonly DateTimeOffset Sent = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);

    private readonly InMemoryMessageRepository _saved = new();

    [Theory]
    [InlineData("id-1", "id-1")]
    [InlineData(null, "client-messages[0]@7")]
    public async Task A_message_that_comes_again_is_saved_once_beside_client_As_entry(string? header, string id)
    {
        var message = new ClientMessage("clientA", "clientB", "m", Sent);
        await _saved.SaveAsync(new SavedMessage("id-1", "clientA", message));
        var handler = new ReceiveMessage(
            _saved, new ForcedFailure(Options.Create(new ClientBOptions()), Random.Shared), NullLogger<ReceiveMessage>.Instance);
        MessageHeaders headers = header is null ? [] : new MessageHeaders().Add(ClientMessage.IdHeader, header);
        var context = new MessageContext { Topic = "client-messages", Offset = 7, Timestamp = Sent, Headers = headers };
        var retried = new MessageContext
        {
            Topic = "client-messages-retry", Offset = 3, Timestamp = Sent.AddMinutes(1), Original = context.Original, Retry = 1, Headers = headers,
        };

        await handler.HandleAsync(message, context, CancellationToken.None);
        await handler.HandleAsync(message, context, CancellationToken.None);
        await handler.HandleAsync(message, retried, CancellationToken.None);

        _saved.Entries.Select(entry => (entry.MessageId, entry.SavedBy)).Order().Should().Equal(
            new[] { ("id-1", "clientA"), (id, "clientB") }.Order());
        (await _saved.FindSavedAsync(["id-1", id], "clientB")).Should().Equal(id);
    }
}
