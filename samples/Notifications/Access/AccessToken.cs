using System.Security.Claims;
using System.Text;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace Notifications.Access;

/// <summary>JSON Web Tokens, signed with HMAC SHA-256: the subject is the user. Thread-safe.</summary>
internal static class AccessToken
{
    public const string Subject = "sub";
    public const string SenderRole = "sender";

    private const string Role = "role";
    private const string Audience = "notifications";

    /// <summary>
    /// The token of a request: its header <c>Authorization</c>, or the parameter <c>token</c>, because a page cannot set headers of a WebSocket.
    /// </summary>
    public static string? Of(HttpRequest request) =>
        request.Headers.Authorization.ToString() is var header && header.StartsWith("Bearer ", StringComparison.OrdinalIgnoreCase) ? header[7..].Trim()
        : request.Query["token"] is [{ Length: > 0 } token] ? token
        : null;

    public static string Create(string key, string userId, bool isSender, TimeSpan lifetime, TimeProvider time)
    {
        var claims = new List<Claim> { new(Subject, userId) };
        if (isSender)
        {
            claims.Add(new Claim(Role, SenderRole));
        }

        var now = time.GetUtcNow().UtcDateTime;
        return new JsonWebTokenHandler().CreateToken(new SecurityTokenDescriptor
        {
            Subject = new ClaimsIdentity(claims),
            Audience = Audience,
            IssuedAt = now,
            NotBefore = now,
            Expires = now + lifetime,
            SigningCredentials = new SigningCredentials(KeyOf(key), SecurityAlgorithms.HmacSha256),
        });
    }

    /// <param name="key">The key; null: no token is valid.</param>
    public static TokenValidationParameters Validation(string? key) => new()
    {
        IssuerSigningKey = key is null ? null : KeyOf(key),
        ValidAlgorithms = [SecurityAlgorithms.HmacSha256],
        ValidAudience = Audience,
        ValidateIssuer = false,   // whoever has the key
        NameClaimType = Subject,
        RoleClaimType = Role,
        ClockSkew = TimeSpan.FromSeconds(30),
    };

    private static SymmetricSecurityKey KeyOf(string key) => new(Encoding.UTF8.GetBytes(key));
}
