using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Narad.Kafka;

namespace ClientToClient.ClientB;

/// <summary>Saves what is for client B. What it throws is retried, and in the end a dead letter.</summary>
internal sealed class ReceiveMessage(IMessageStore store, IOptions<ClientBOptions> options, Random random, ILogger<ReceiveMessage> logger)
    : IMessageHandler<ClientMessage>
{
    public async Task HandleAsync(ClientMessage message, MessageContext context, CancellationToken cancellationToken)
    {
        if (message.To is not "clientB")
        {
            logger.LogInformation("Message ignored ({Context})", context);
            return;
        }

        if (options.Value.ForceFailure || random.NextDouble() >= options.Value.SuccessRate)
        {
            throw new InvalidOperationException("A failure to order: see ClientB:ForceFailure and ClientB:SuccessRate.");
        }

        // The time at which it went to Kafka stays the same in every retry and repetition, so that it is saved once; and later than client A's, whose entry it
        // is not.
        var sent = context.OriginalTimestamp;
        var entry = message with { Timestamp = sent > message.Timestamp ? sent : message.Timestamp.AddMilliseconds(1) };
        var isNew = await store.SaveAsync(entry, cancellationToken);
        logger.LogInformation("Message saved{Before} ({Context})", isNew ? "" : " before", context);
    }
}
