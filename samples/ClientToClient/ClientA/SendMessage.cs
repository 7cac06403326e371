using System.Text.Json;
using Narad.Kafka;

namespace ClientToClient.ClientA;

/// <summary><c>POST /send-message {from, to, message}</c>: saves the message, then sends it.</summary>
internal sealed class SendMessage(IMessageStore store, IKafkaProducer kafka, TimeProvider time, ILogger<SendMessage> logger)
{
    // No cancellation token: whoever hangs up leaves no message that was saved and not sent.
    public async Task<IResult> HandleAsync(HttpRequest http)
    {
        var (body, refusal) = await ReadAsync(http);
        if (body is null)
        {
            return refusal!;
        }

        var now = DateTimeOffset.FromUnixTimeMilliseconds(time.GetUtcNow().ToUnixTimeMilliseconds());
        var message = new ClientMessage(body.From!, body.To!, body.Message!, now);
        await store.SaveAsync(message);
        logger.LogInformation("Message saved to MongoDB");
        try
        {
            await kafka.SendAsync(Topics.Messages, message);
        }
        catch (NaradKafkaException failure)
        {
            logger.LogError(failure, "Message saved, but Kafka did not confirm it: {From} to {To}, {Timestamp:O}", message.From, message.To, message.Timestamp);
            return Results.Problem(
                statusCode: StatusCodes.Status503ServiceUnavailable,
                title: "The message was saved, but Kafka did not confirm it",
                detail: failure is KafkaSendException { MayHaveBeenWritten: true }
                    ? "It may or may not be delivered. If you send it again, it may be delivered twice."
                    : "It is not delivered. Send it again.");
        }

        return Results.Json(message, statusCode: StatusCodes.Status201Created);
    }

    private static async Task<(Body? Body, IResult? Refusal)> ReadAsync(HttpRequest http)
    {
        if (!http.HasJsonContentType())
        {
            return Refuse("The Content-Type must be application/json.");
        }

        try
        {
            return await http.ReadFromJsonAsync<Body>() is not { } body ? Refuse("The body is null.")
                : body.Errors() is { Count: > 0 } errors ? (null, Results.ValidationProblem(errors, title: "Not a message"))
                : (body, null);
        }
        catch (JsonException error)
        {
            return Refuse($"The body is not JSON with texts in from, to and message: look at line {error.LineNumber + 1}, {error.Path ?? "$"}.");
        }
        catch (BadHttpRequestException error)
        {
            return Refuse(error.Message, error.StatusCode);
        }
    }

    private static (Body? Body, IResult? Refusal) Refuse(string why, int status = StatusCodes.Status400BadRequest) =>
        (null, Results.Problem(statusCode: status, title: "Not a message", detail: why));

    private sealed record Body(string? From, string? To, string? Message)
    {
        public Dictionary<string, string[]> Errors() =>
            new[] { ("from", From), ("to", To), ("message", Message) }
                .Where(static field => string.IsNullOrWhiteSpace(field.Item2))
                .ToDictionary(static field => field.Item1, static field => new[] { $"'{field.Item1}' is missing or empty." }, StringComparer.Ordinal);
    }
}
