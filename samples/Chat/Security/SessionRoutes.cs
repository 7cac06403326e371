using System.Security.Claims;
using Chat.Contract;
using Chat.Log;
using Chat.Rooms;
using Narad.Kafka;

namespace Chat.Security;

/// <summary><c>/api/session</c>. A name is all that is asked for: a real system has an identity provider.</summary>
internal static class SessionRoutes
{
    public static void MapSession(this WebApplication app)
    {
        app.MapPost("/api/session", static (SignIn body, SessionTokens tokens, ChatOptions options, HttpContext http) =>
        {
            if (RoomRules.UserIdOf(body.Name) is not { } userId)
            {
                return Results.ValidationProblem(new Dictionary<string, string[]> { ["name"] = [RoomRules.NameHint] });
            }

            var name = body.Name!.Trim();
            var token = tokens.Create(userId, name);
            http.Response.Cookies.Append(SessionAuthentication.Cookie, token, CookieOf(http, options.SessionLifetime));
            return Results.Json(new Session(userId, name, token));
        }).RequireRateLimiting(Limits.SignIn);

        app.MapGet("/api/session", static (ClaimsPrincipal user) => new Session(
            user.FindFirstValue(ClaimTypes.NameIdentifier)!, user.FindFirstValue(ClaimTypes.Name)!, Token: null)).RequireAuthorization();

        // Ends all sessions of the user, on all instances. No cancellation token: it is done even if the client hangs up.
        app.MapDelete("/api/session", static async (
            ClaimsPrincipal user, IKafkaProducer kafka, ChatOptions options, SignedOutUsers signedOut, TimeProvider time, HttpContext http) =>
        {
            var userId = user.FindFirstValue(ClaimTypes.NameIdentifier)!;
            var began = SessionAuthentication.SignedInAtOf(user);
            var now = time.GetUtcNow() is var clock && clock > began ? clock : began;   // clocks of instances differ
            signedOut.Add(userId, now);
            await kafka.SendAsync(options.StateTopic, new StateRecord(StateKind.SignedOut, userId, RoomId: null, 0, 0, now), userId);
            http.Response.Cookies.Delete(SessionAuthentication.Cookie, CookieOf(http, TimeSpan.Zero));
            return Results.NoContent();
        }).RequireAuthorization();
    }

    private static CookieOptions CookieOf(HttpContext http, TimeSpan lifetime) => new()
    {
        HttpOnly = true, SameSite = SameSiteMode.Strict, Secure = http.Request.IsHttps, Path = "/", MaxAge = lifetime, IsEssential = true,
    };
}
