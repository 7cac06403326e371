using Microsoft.Extensions.DependencyInjection;
using Narad.Kafka;

namespace ClientToClient.ClientA;

/// <summary>client-a-service: what it consists of.</summary>
internal static class ClientAService
{
    private const string DefaultUrl = "http://localhost:3000";

    // JSON may escape a byte as six, and all of it must fit into one Kafka message (1,000,000 bytes).
    private const int LongestRequest = 128 * 1024;

    public static void AddClientA(this WebApplicationBuilder builder)
    {
        if (builder.Configuration[WebHostDefaults.ServerUrlsKey] is null)
        {
            builder.WebHost.UseUrls(DefaultUrl);
        }

        builder.WebHost.ConfigureKestrel(static kestrel => kestrel.Limits.MaxRequestBodySize = LongestRequest);
        builder.Services.AddProblemDetails();
        builder.Services.AddSingleton<IMessageStore, InMemoryMessageStore>();
        builder.Services.AddSingleton<SendMessage>();
        builder.Services.AddNaradKafka(builder.Configuration, static kafka =>
        {
            kafka.ClientId = "client-a-service";
            kafka.SendTimeout = TimeSpan.FromSeconds(5);   // somebody waits for the answer
        });
        builder.Services.AddHostedService<Topics>();       // behind the library's, so that it is connected
    }

    public static void MapClientA(this WebApplication app)
    {
        app.UseExceptionHandler();   // a store that fails: 500, and nothing is sent
        app.MapPost("/send-message", (HttpRequest http, SendMessage send) => send.HandleAsync(http));
    }
}
