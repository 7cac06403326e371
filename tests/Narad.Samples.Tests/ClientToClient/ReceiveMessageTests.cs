using ClientToClient;
using ClientToClient.ClientB;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Narad.Kafka;
using InMemoryMessageStore = ClientToClient.InMemoryMessageStore;

namespace Narad.Samples.Tests.ClientToClient;

/// <summary>Client B's handler, without a broker.</summary>
public sealed class ReceiveMessageTests
{
    private static readonly DateTimeOffset Sent = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);

    private readonly InMemoryMessageStore _store = new();

    [Theory]
    [InlineData(-60_000)]
    [InlineData(0)]
    [InlineData(20)]
    public async Task A_message_that_comes_twice_is_saved_once_and_never_as_client_As_entry(int laterByMilliseconds)
    {
        var message = new ClientMessage("clientA", "clientB", "m", Sent);
        await _store.SaveAsync(message);
        var handler = new ReceiveMessage(_store, Options.Create(new ClientBOptions()), Random.Shared, NullLogger<ReceiveMessage>.Instance);
        var context = new MessageContext { Topic = "client-messages", Timestamp = Sent.AddMilliseconds(laterByMilliseconds) };
        var retried = new MessageContext { Topic = "client-messages-retry", Timestamp = Sent.AddMinutes(1), Original = context.Original,
            OriginalTimestamp = context.OriginalTimestamp, Retry = 1 };

        await handler.HandleAsync(message, context, CancellationToken.None);
        await handler.HandleAsync(message, context, CancellationToken.None);
        await handler.HandleAsync(message, retried, CancellationToken.None);

        _store.Entries.Should().HaveCount(2);
        _store.Entries.Max(entry => entry.Timestamp).Should().BeAfter(Sent).And.BeOnOrBefore(Sent.AddMilliseconds(20));
    }
}
