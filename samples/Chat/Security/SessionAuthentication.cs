using System.Globalization;
using System.Security.Claims;
using System.Text.Encodings.Web;
using Microsoft.AspNetCore.Authentication;
using Microsoft.Extensions.Options;

namespace Chat.Security;

/// <summary>
/// Knows a user by the session's token: the cookie, the header <c>Authorization: Bearer</c>, or, at the hub, the parameter <c>access_token</c>.
/// </summary>
internal sealed class SessionAuthentication(
    IOptionsMonitor<AuthenticationSchemeOptions> options, ILoggerFactory loggers, UrlEncoder encoder, SessionTokens tokens)
    : AuthenticationHandler<AuthenticationSchemeOptions>(options, loggers, encoder)
{
    public const string SchemeName = "Session";
    public const string Cookie = "chat-session";
    private const string Bearer = "Bearer ";
    private const string SignedInAt = "signed-in-at";

    protected override Task<AuthenticateResult> HandleAuthenticateAsync()
    {
        var header = Request.Headers.Authorization.ToString();
        var token = header.StartsWith(Bearer, StringComparison.OrdinalIgnoreCase) ? header[Bearer.Length..]
            : Request.Path.StartsWithSegments("/chat") && Request.Query["access_token"].ToString() is { Length: > 0 } parameter ? parameter
            : Request.Cookies[Cookie];
        if (token is null)
        {
            return Task.FromResult(AuthenticateResult.NoResult());
        }

        if (tokens.Read(token) is not { } session)
        {
            return Task.FromResult(AuthenticateResult.Fail("The session is over. Sign in again."));
        }

        var identity = new ClaimsIdentity(
            [
                new Claim(ClaimTypes.NameIdentifier, session.UserId),
                new Claim(ClaimTypes.Name, session.Name),
                new Claim(SignedInAt, session.SignedInAt.ToString("O", CultureInfo.InvariantCulture)),
            ],
            SchemeName);
        var properties = new AuthenticationProperties { ExpiresUtc = tokens.EndOf(session) };
        return Task.FromResult(AuthenticateResult.Success(new AuthenticationTicket(new ClaimsPrincipal(identity), properties, SchemeName)));
    }

    /// <summary>When the user's session began.</summary>
    public static DateTimeOffset SignedInAtOf(ClaimsPrincipal user) => DateTimeOffset.Parse(user.FindFirstValue(SignedInAt)!, CultureInfo.InvariantCulture);
}
