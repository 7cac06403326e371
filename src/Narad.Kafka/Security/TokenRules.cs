using System.Buffers;
using System.Globalization;

namespace Narad.Kafka.Security;

/// <summary>What is wrong with a token, in words that contain neither it nor the value of an extension. Thread-safe.</summary>
/// <remarks>The client checks the same later, but says so with the token in its message.</remarks>
internal static class TokenRules
{
    // RFC 6750 allows fewer characters in a bearer token; some servers issue others, but none a blank, which ends a token in the message to the broker's
    // parser.
    private const char FirstVisible = '!';
    private const char LastVisible = '~';

    private static readonly SearchValues<char> Letters = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");
    private static readonly SearchValues<char> Printable = SearchValues.Create(
        [.. Enumerable.Range(' ', '~' - ' ' + 1).Select(static code => (char)code), '\t', '\r', '\n']);

    /// <summary>Null: the token can be used.</summary>
    public static (TokenError Kind, string Reason)? Error(OAuthBearerToken? token, DateTimeOffset now)
    {
        if (token is null)
        {
            return (TokenError.Malformed, "it returned null instead of a token");
        }

        if (string.IsNullOrEmpty(token.Value))
        {
            return (TokenError.Malformed, "it returned an empty token");
        }

        var odd = token.Value.AsSpan().IndexOfAnyExceptInRange(FirstVisible, LastVisible);
        if (odd >= 0)
        {
            return (TokenError.Malformed, string.Create(
                CultureInfo.InvariantCulture,
                $"it returned a malformed token: character {odd + 1} of {token.Value.Length} is a space, a line break or not ASCII (is there one at the end "
                    + $"of the file that it was read from?)"));
        }

        if (token.Principal is null)
        {
            return (TokenError.Malformed, "it returned a token without a principal: give its name, or an empty text");
        }

        if (ExtensionError(token.Extensions) is { } error)
        {
            return (TokenError.Malformed, error);
        }

        return token.ExpiresAt <= now
            ? (TokenError.Expired,
                string.Create(CultureInfo.InvariantCulture,
                    $"it returned a token that expired at {token.ExpiresAt.UtcDateTime:u}: the source keeps tokens for too long, or this machine's clock is "
                        + $"wrong"))
            : null;
    }

    /// <summary>Null: the broker can be sent these beside a token.</summary>
    public static string? ExtensionError(IReadOnlyDictionary<string, string>? extensions)
    {
        if (extensions is null)
        {
            return "it returned a token whose extensions are null: leave them out instead";
        }

        foreach (var (name, value) in extensions)
        {
            if (name.Length == 0 || name.AsSpan().ContainsAnyExcept(Letters))
            {
                return $"the extension '{name}' has a name that RFC 7628 does not allow: use the letters A to Z and a to z only";
            }

            if (string.Equals(name, "auth", StringComparison.Ordinal))
            {
                return "the extension 'auth' is the token itself: use another name";
            }

            if (value is null || value.AsSpan().ContainsAnyExcept(Printable))
            {
                return $"the extension '{name}' has a value that RFC 7628 does not allow: use printable ASCII only";
            }
        }

        return null;
    }
}
