using System.Security.Claims;
using System.Text.Encodings.Web;
using Microsoft.AspNetCore.Authentication;
using Microsoft.Extensions.Options;

namespace Notifications.Access;

/// <summary>Believes the parameter <c>userId</c>, where <see cref="LoopbackDemo"/> allows that.</summary>
internal sealed class UserIdHandler(IOptionsMonitor<AuthenticationSchemeOptions> options, ILoggerFactory logger, UrlEncoder encoder)
    : AuthenticationHandler<AuthenticationSchemeOptions>(options, logger, encoder)
{
    public const string Name = "userId";

    protected override Task<AuthenticateResult> HandleAuthenticateAsync()
    {
        var identity = new ClaimsIdentity(Name, AccessToken.Subject, "role");
        identity.AddClaim(new Claim("role", AccessToken.SenderRole));
        if (Request.Query["userId"] is [{ } userId] && Notification.IsUserId(userId))
        {
            identity.AddClaim(new Claim(AccessToken.Subject, userId));
        }

        return Task.FromResult(AuthenticateResult.Success(new AuthenticationTicket(new ClaimsPrincipal(identity), Name)));
    }

    // Signed in, but not as a user.
    protected override Task HandleForbiddenAsync(AuthenticationProperties properties) => Results.ValidationProblem(
        new Dictionary<string, string[]>(StringComparer.Ordinal)
        {
            ["userId"] = ["Name one user: ?userId=user1, of 1 to 100 letters, digits, and . _ - @ + :"],
        })
        .ExecuteAsync(Context);
}
