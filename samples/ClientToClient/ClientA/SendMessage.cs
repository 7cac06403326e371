using ClientToClient.Storage;
using Narad.Kafka;

namespace ClientToClient.ClientA;

/// <summary>Saves a message, then sends it. Thread-safe.</summary>
internal sealed class SendMessage(IMessageRepository messages, IKafkaProducer kafka, TimeProvider time, ILogger<SendMessage> logger)
{
    /// <param name="body">The message.</param>
    /// <param name="idempotencyKey">Becomes the message id, so that the same request is saved once by each client; null: a new id.</param>
    public async Task<IResult> HandleAsync(NewMessage body, string? idempotencyKey)
    {
        var now = DateTimeOffset.FromUnixTimeMilliseconds(time.GetUtcNow().ToUnixTimeMilliseconds());
        var id = idempotencyKey ?? Guid.CreateVersion7(now).ToString();
        var message = new ClientMessage(body.From!, body.To!, body.Message!, now);
        await messages.SaveAsync(new SavedMessage(id, "clientA", message));
        logger.LogInformation("Message saved to {Storage}", messages.Name);
        try
        {
            var options = new SendOptions { Headers = new MessageHeaders().Add(ClientMessage.IdHeader, id) };
            await kafka.SendAsync(ClientMessage.Topic, message, options: options);
        }
        catch (NaradKafkaException failure)
        {
            logger.LogError(failure, "Message {Id} is saved, but Kafka did not confirm it", id);
            return Results.Problem(
                statusCode: StatusCodes.Status503ServiceUnavailable,
                title: "The message was saved, but Kafka did not confirm it",
                detail: failure is KafkaSendException { MayHaveBeenWritten: true }
                    ? $"It may or may not be delivered. Send it again with the header Idempotency-Key: {id}, and it is delivered once."
                    : $"It is not delivered. Send it again with the header Idempotency-Key: {id}.");
        }

        return Results.Json(message, statusCode: StatusCodes.Status201Created);
    }
}
