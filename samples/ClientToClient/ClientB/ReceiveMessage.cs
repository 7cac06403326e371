using ClientToClient.Storage;
using Narad.Kafka;

namespace ClientToClient.ClientB;

/// <summary>Saves what is for client B. What it throws is retried, and in the end a dead letter.</summary>
internal sealed class ReceiveMessage(IMessageRepository messages, ForcedFailure failure, ILogger<ReceiveMessage> logger) : IMessageHandler<ClientMessage>
{
    public async Task HandleAsync(ClientMessage message, MessageContext context, CancellationToken cancellationToken)
    {
        if (message.To is not "clientB")
        {
            logger.LogInformation("Message ignored ({Context})", context);
            return;
        }

        failure.ThrowIfChosen();

        // The same in every retry and every duplicate, so that the message is saved once. Other senders may set no id: the coordinates are one too.
        var id = context.Headers.GetText(ClientMessage.IdHeader) ?? context.Original.ToString();
        await messages.SaveAsync(new SavedMessage(id, "clientB", message), cancellationToken);
        logger.LogInformation("Message saved ({Context})", context);
    }
}
