using System.Security.Claims;
using System.Threading.RateLimiting;

namespace Chat.Security;

/// <summary>How often users may ask. Each instance counts for itself. Thread-safe.</summary>
internal sealed class Limits(ChatOptions options) : IDisposable
{
    public const string SignIn = "sign-in";
    public const string Rest = "rest";

    private readonly PartitionedRateLimiter<string> _messages = PartitionedRateLimiter.Create<string, string>(
        userId => RateLimitPartition.GetTokenBucketLimiter(userId, _ => Bucket(options.MessageBurst, options.MessagesPerSecond)), StringComparer.Ordinal);

    private readonly PartitionedRateLimiter<string> _calls = PartitionedRateLimiter.Create<string, string>(
        userId => RateLimitPartition.GetTokenBucketLimiter(userId, _ => Bucket(options.RequestsPerSecond * 4, options.RequestsPerSecond)),
        StringComparer.Ordinal);

    public bool MaySend(string userId) => Take(_messages, userId);

    /// <summary>Whether the user may call another method of the hub now.</summary>
    public bool MayCall(string userId) => Take(_calls, userId);

    public void Dispose()
    {
        _messages.Dispose();
        _calls.Dispose();
    }

    /// <summary>Adds the limits of the routes: 429.</summary>
    public static void AddTo(IServiceCollection services, ChatOptions options) => services.AddRateLimiter(limiter =>
    {
        limiter.RejectionStatusCode = StatusCodes.Status429TooManyRequests;
        limiter.AddPolicy(SignIn, http => RateLimitPartition.GetTokenBucketLimiter(
            http.Connection.RemoteIpAddress?.ToString() ?? "", _ => Bucket(options.SignInsPerMinute, options.SignInsPerMinute, TimeSpan.FromMinutes(1))));
        limiter.AddPolicy(Rest, http => RateLimitPartition.GetTokenBucketLimiter(
            http.User.FindFirstValue(ClaimTypes.NameIdentifier) ?? "", _ => Bucket(options.RequestsPerSecond * 2, options.RequestsPerSecond)));
    });

    private static bool Take(PartitionedRateLimiter<string> limiter, string userId)
    {
        using var lease = limiter.AttemptAcquire(userId);
        return lease.IsAcquired;
    }

    private static TokenBucketRateLimiterOptions Bucket(int burst, int tokens, TimeSpan? period = null) => new()
    {
        TokenLimit = burst, TokensPerPeriod = tokens, ReplenishmentPeriod = period ?? TimeSpan.FromSeconds(1), QueueLimit = 0, AutoReplenishment = true,
    };
}
