using System.Globalization;
using System.Threading.RateLimiting;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.JwtBearer;
using Microsoft.AspNetCore.Authorization;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace Notifications.Access;

/// <summary>
/// Who may do what: a token's subject reads its own notifications, and a token with the role <c>sender</c> sends to anybody. Where
/// <see cref="LoopbackDemo"/> allows it, <c>?userId=</c> is enough.
/// </summary>
internal static class AccessExtensions
{
    public const string User = "user";
    public const string Sender = "sender";

    private const string DemoOrToken = "demo or token";

    public static void AddAccess(this WebApplicationBuilder builder)
    {
        builder.Services.AddSingleton<LoopbackDemo>();
        builder.Services.AddAuthentication(DemoOrToken)
            .AddPolicyScheme(DemoOrToken, DemoOrToken, static policy => policy.ForwardDefaultSelector = static http =>
                AccessToken.Of(http.Request) is null && http.RequestServices.GetRequiredService<LoopbackDemo>().Allows(http)
                    ? UserIdHandler.Name
                    : JwtBearerDefaults.AuthenticationScheme)
            .AddScheme<AuthenticationSchemeOptions, UserIdHandler>(UserIdHandler.Name, configureOptions: null)
            .AddJwtBearer();
        builder.Services.AddOptions<JwtBearerOptions>(JwtBearerDefaults.AuthenticationScheme).Configure<IOptions<NotificationsOptions>>(Configure);
        builder.Services.AddAuthorizationBuilder()
            .AddPolicy(User, static policy => policy.RequireClaim(AccessToken.Subject).RequireAssertion(IsOwn))
            .AddPolicy(Sender, static policy => policy.RequireRole(AccessToken.SenderRole));
        builder.Services.AddRateLimiter(static limiter => limiter.RejectionStatusCode = StatusCodes.Status429TooManyRequests);
        builder.Services.AddOptions<Microsoft.AspNetCore.RateLimiting.RateLimiterOptions>().Configure<IOptions<NotificationsOptions>>(
            static (limiter, options) => limiter.GlobalLimiter = PartitionedRateLimiter.Create<HttpContext, string>(
                http => RateLimitPartition.GetFixedWindowLimiter(Caller(http), _ => new FixedWindowRateLimiterOptions
                {
                    PermitLimit = options.Value.MaxRequestsPerSecond, Window = TimeSpan.FromSeconds(1),
                })));
    }

    public static void UseAccess(this WebApplication app)
    {
        if (app.Services.GetRequiredService<IOptions<NotificationsOptions>>().Value.TokenKey is null
            && !app.Services.GetRequiredService<LoopbackDemo>().IsPossible)
        {
            app.Logger.LogWarning("Nobody can connect: no key for tokens is set. Set Notifications:TokenKey, such as the output of openssl rand -hex 32");
        }

        app.UseAuthentication();
        app.UseRateLimiter();
        app.UseAuthorization();
    }

    /// <summary>The user of a request that passed the policy <see cref="User"/>.</summary>
    public static string UserId(this HttpContext http) => http.User.FindFirst(AccessToken.Subject)!.Value;

    // userId may be left out of a request with a token.
    private static bool IsOwn(AuthorizationHandlerContext context) =>
        context.Resource is HttpContext http
        && (http.Request.Query["userId"] is not [{ Length: > 0 } named] || named == context.User.FindFirst(AccessToken.Subject)?.Value);

    private static string Caller(HttpContext http) => http.User.FindFirst(AccessToken.Subject)?.Value
        ?? http.Connection.RemoteIpAddress?.ToString()
        ?? "";

    private static void Configure(JwtBearerOptions bearer, IOptions<NotificationsOptions> options)
    {
        bearer.MapInboundClaims = false;
        bearer.TokenValidationParameters = AccessToken.Validation(options.Value.TokenKey);
        bearer.Events = new JwtBearerEvents
        {
            OnMessageReceived = static context =>
            {
                context.Token = AccessToken.Of(context.Request);
                return Task.CompletedTask;
            },
            OnChallenge = context =>
            {
                context.HandleResponse();
                context.Response.Headers.WWWAuthenticate = JwtBearerDefaults.AuthenticationScheme;
                return Results.Problem(
                    statusCode: StatusCodes.Status401Unauthorized,
                    title: "A signed token is required",
                    detail: string.Create(CultureInfo.InvariantCulture, $"{Reason(context.AuthenticateFailure, options.Value)} {Advice}"))
                    .ExecuteAsync(context.HttpContext);
            },
            OnForbidden = static context => Results.Problem(
                statusCode: StatusCodes.Status403Forbidden,
                title: "The token does not allow this",
                detail: $"The userId is the subject of the token, and sending needs the role '{AccessToken.SenderRole}'.")
                .ExecuteAsync(context.HttpContext),
        };
    }

    private const string Advice = "Send it in the header 'Authorization: Bearer …' or as the parameter 'token'. "
        + "'dotnet run --project samples/Notifications -- token user1' prints one. "
        + "The userId alone is enough only from this machine, with the embedded broker.";

    private static string Reason(Exception? failure, NotificationsOptions options) => (failure, options.TokenKey) switch
    {
        (_, null) => "No key for tokens is set: set Notifications:TokenKey.",
        (null, _) => "There is no token.",
        (Microsoft.IdentityModel.Tokens.SecurityTokenExpiredException, _) => "The token has expired.",
        _ => "The token is not valid: it was signed with another key, or is damaged.",
    };
}
