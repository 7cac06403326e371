using Microsoft.Extensions.Options;
using Narad.Kafka;
using Notifications.Access;
using Notifications.Storage;

namespace Notifications.Sockets;

/// <summary>WebSockets at <c>/?userId=…</c>.</summary>
internal static class SocketRoutes
{
    private const string Path = "/socket";

    /// <summary>Before routing: a WebSocket at <c>/</c>, where the page is too, is one at <c>/socket</c>.</summary>
    public static void UseNotificationSockets(this WebApplication app)
    {
        var options = app.Services.GetRequiredService<IOptions<NotificationsOptions>>().Value;
        app.UseWebSockets(new WebSocketOptions { KeepAliveInterval = options.HeartbeatInterval, KeepAliveTimeout = options.HeartbeatTimeout });
        app.Use(static (http, next) =>
        {
            if (http.WebSockets.IsWebSocketRequest && http.Request.Path == "/")
            {
                http.Request.Path = Path;
            }

            return next(http);
        });
    }

    public static void MapNotificationSockets(this WebApplication app) => app.Map(Path, ConnectAsync).RequireAuthorization(AccessExtensions.User);

    private static async Task<IResult> ConnectAsync(
        HttpContext http,
        Connections connections,
        INotificationStore store,
        ChangeStates states,
        LoopbackDemo demo,
        IOptions<NotificationsOptions> options,
        TimeProvider time,
        ILogger<Connection> logger,
        bool changes = false)
    {
        if (!http.WebSockets.IsWebSocketRequest)
        {
            return Results.Problem(statusCode: StatusCodes.Status426UpgradeRequired, detail: "This is the address of a WebSocket.");
        }

        if (!IsAllowed(http, demo, options.Value))
        {
            return Results.Problem(
                statusCode: StatusCodes.Status403Forbidden,
                title: "This page may not connect",
                detail: "Add its origin to Notifications:AllowedOrigins.");
        }

        await store.AddUserAsync(http.UserId(), http.RequestAborted);
        var connection = new Connection(http.UserId(), changes, store, states, options.Value, time, logger);
        if (connections.TryAdd(connection) is { } refusal)
        {
            return Results.Problem(statusCode: refusal, detail: "There are too many connections. Close one, or try again later.");
        }

        try
        {
            using var socket = await http.WebSockets.AcceptWebSocketAsync();
            await connection.RunAsync(socket);
        }
        finally
        {
            connections.Remove(connection);
        }

        return Results.Empty;
    }

    // Browsers send the origin of the page, other clients none. A page from a file has the origin "null", and so has any page in a sandbox.
    private static bool IsAllowed(HttpContext http, LoopbackDemo demo, NotificationsOptions options) => http.Request.Headers.Origin.ToString() switch
    {
        "" => true,
        "null" => demo.Allows(http),
        var origin => origin == $"{http.Request.Scheme}://{http.Request.Host}" || options.AllowedOrigins.Contains(origin, StringComparer.OrdinalIgnoreCase),
    };
}
