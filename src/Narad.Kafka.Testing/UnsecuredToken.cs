using System.Buffers.Text;
using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Narad.Kafka.Testing;

/// <summary>
/// Makes unsecured JSON Web Tokens (<c>{"alg":"none"}</c>) for brokers that are set up to take them, as Kafka's own default handler of <c>OAUTHBEARER</c> does:
/// anybody can make one. For tests only. Thread-safe.
/// </summary>
public static class UnsecuredToken
{
    /// <summary>A token with the claims <c>sub</c>, <c>iat</c> (now) and <c>exp</c>, whose times are whole seconds.</summary>
    /// <param name="subject">Whose it is: the broker's principal <c>User:{subject}</c>.</param>
    /// <param name="life">How long it is good, at least a second; default an hour.</param>
    /// <param name="time">The clock; default the system's.</param>
    public static OAuthBearerToken Create(string subject, TimeSpan? life = null, TimeProvider? time = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(subject);
        var now = (time ?? TimeProvider.System).GetUtcNow().ToUnixTimeSeconds();
        var expires = now + (long)(life ?? TimeSpan.FromHours(1)).TotalSeconds;
        var header = Base64Url.EncodeToString("""{"alg":"none"}"""u8);
        var claims = Base64Url.EncodeToString(Encoding.UTF8.GetBytes(
            string.Create(CultureInfo.InvariantCulture, $$"""{"sub":"{{JsonEncodedText.Encode(subject)}}","iat":{{now}},"exp":{{expires}}}""")));
        return new OAuthBearerToken($"{header}.{claims}.", DateTimeOffset.FromUnixTimeSeconds(expires), subject);
    }
}
