namespace Chat.Security;

/// <summary>Refuses requests that a page of another origin makes: 403.</summary>
internal static class SameOrigin
{
    public static void UseSameOrigin(this WebApplication app, ChatOptions options) => app.Use(async (http, next) =>
    {
        var origin = http.Request.Headers.Origin.ToString();
        if (origin.Length == 0
            || string.Equals(origin, $"{http.Request.Scheme}://{http.Request.Host}", StringComparison.OrdinalIgnoreCase)
            || options.AllowedOrigins.Contains(origin, StringComparer.OrdinalIgnoreCase))
        {
            await next(http);
            return;
        }

        await Results.Problem(
            statusCode: StatusCodes.Status403Forbidden,
            title: "Another site's page may not use this server",
            detail: "Behind a proxy with another address, allow that address: --Chat:AllowedOrigins:0=https://chat.example.org")
            .ExecuteAsync(http);
    });
}
