using System.ComponentModel.DataAnnotations;
using System.Globalization;
using MessageStore.Storage;

namespace MessageStore;

/// <summary>The body of <c>POST /messages</c>.</summary>
/// <param name="Text">1 to 10,000 characters, not only spaces.</param>
public sealed record NewMessage([property: Required, StringLength(10_000)] string? Text);

/// <summary><c>/messages</c>.</summary>
internal static class MessageRoutes
{
    public static void MapMessages(this WebApplication app)
    {
        // Answers when the message is stored; ProduceMessages produces it. No cancellation token: a client that hangs up leaves no half of a message.
        app.MapPost("/messages", static async (
            NewMessage body, MessageClock clock, IMessages messages, ProduceMessages produce, ILogger<ProduceMessages> logger) =>
        {
            var now = clock.Next();
            var message = new Message { Id = Guid.CreateVersion7(now).ToString(), Text = body.Text!, CreatedAt = now };
            await messages.InsertAsync(message, CancellationToken.None);
            produce.Wake();
            logger.LogInformation("Message {Id} saved to {Storage}", message.Id, messages.Name);
            return Results.Json(message, statusCode: StatusCodes.Status201Created);
        });

        // Newest first; the header Link names the next page, as long as there may be one.
        app.MapGet("/messages", static async (
            IMessages messages, HttpResponse response, CancellationToken cancellationToken, Guid? before = null, [Range(1, 500)] int limit = 50) =>
        {
            var page = await messages.ListAsync(before?.ToString(), limit, cancellationToken);
            if (page.Count == limit)
            {
                response.Headers.Link = string.Create(CultureInfo.InvariantCulture, $"</messages?limit={limit}&before={page[^1].Id}>; rel=\"next\"");
            }

            return page;
        });
    }
}
