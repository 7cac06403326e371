using System.ComponentModel.DataAnnotations;
using ClientToClient.Storage;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Extensions.DependencyInjection;
using Narad.Kafka;
using Narad.Samples;

namespace ClientToClient.ClientA;

/// <summary>client-a-service: what it consists of.</summary>
internal static class ClientAService
{
    public static void AddClientA(this WebApplicationBuilder builder, InMemoryMessageRepository memory)
    {
        builder.Services.AddValidation();   // the attributes of request types and parameters
        builder.Services.AddSingleton<SendMessage>();
        builder.Services.AddSingleton<IDeadLetterView, DeadLetters>();
        builder.Services
            .AddNaradKafka(builder.Configuration, static kafka =>
            {
                kafka.ClientId = "client-a-service";
                kafka.SendTimeout = TimeSpan.FromSeconds(5);   // somebody waits for the answer
            })
            .AddTopic(ClientMessage.Topic, partitions: 1)   // one each, so that messages are handled in the order in which they were sent
            .AddTopic(ClientMessage.RetryTopic, partitions: 1)
            .AddTopic(ClientMessage.DeadLetterTopic, partitions: 1, retention: Timeout.InfiniteTimeSpan)
            .AddMessageRepository(builder.Configuration, memory);
        builder.Services.AddHealthChecks().AddNaradKafka();
    }

    public static void MapClientA(this WebApplication app)
    {
        app.MapSampleDefaults();
        app.MapSamplePage(typeof(ClientAService).Assembly, "Client to client");

        // No cancellation token: a client that hangs up leaves no message that was saved and not sent.
        app.MapPost("/send-message", static (
            NewMessage body, [FromHeader(Name = "Idempotency-Key"), StringLength(100)] string? idempotencyKey, SendMessage send) =>
            send.HandleAsync(body, string.IsNullOrEmpty(idempotencyKey) ? null : idempotencyKey));
        app.MapDeadLetters();
    }
}
