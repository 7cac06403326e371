using System.Net;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.RegularExpressions;
using Confluent.Kafka;

namespace Narad.Kafka.Configuration;

/// <summary>
/// Replaces the secrets that a client was given in text that the client, a broker or an identity provider wrote: as they are, and as URLs, JSON, HTML and
/// base64 write them. Immutable and thread-safe.
/// </summary>
internal sealed partial class SecretHiding
{
    /// <summary>What stands in the place of a secret.</summary>
    public const string Hidden = "…";

    // A shorter one is part of ordinary words in these forms.
    private const int ShortestEncoded = 4;
    private const int ShortestBase64 = 8;
    private const int ShortestLine = 16;

    /// <summary>For a client without secrets: hides only what looks like one.</summary>
    public static readonly SecretHiding None = new([]);

    // The longest first: one may be a part of another.
    private readonly string[] _forms;

    private SecretHiding(IEnumerable<string> secrets) =>
        _forms = [.. secrets.Where(secret => !string.IsNullOrWhiteSpace(secret)).SelectMany(Forms).Where(form => form.Length > 0)
            .Distinct(StringComparer.Ordinal).OrderByDescending(form => form.Length)];

    /// <summary>The secrets of a client's configuration, its raw properties included.</summary>
    public static SecretHiding Of(ClientConfig config)
    {
        var properties = config.ToDictionary(property => property.Key, property => property.Value, StringComparer.Ordinal);
        var secrets = properties.Where(property => IsSecret(property.Key)).SelectMany(property => Parts(property.Value))
            .Concat(properties.Where(property => property.Key.EndsWith(".url", StringComparison.Ordinal)).SelectMany(property => PartsOfUrl(property.Value)))
            .ToList();
        return secrets.Count == 0 ? None : new SecretHiding(secrets);
    }

    /// <summary>Secrets that are known otherwise.</summary>
    public static SecretHiding Of(params IEnumerable<string> secrets) => new(secrets);

    /// <summary>Whether the value of a librdkafka property is a secret, or text that a secret may have been pasted into.</summary>
    public static bool IsSecret(string property) => SecretProperty().IsMatch(property);

    /// <summary>The text without the secrets, in any of their forms, without users in URLs, and without JSON web tokens.</summary>
    public string Hide(string text)
    {
        if (string.IsNullOrEmpty(text))
        {
            return "";
        }

        foreach (var form in _forms)
        {
            text = text.Replace(form, Hidden, StringComparison.Ordinal);
        }

        return WebToken().Replace(UserInUrl().Replace(text, $"{Hidden}@"), Hidden);
    }

    /// <summary>The error with a reason without secrets.</summary>
    public Error Hide(Error error)
    {
        var reason = error.Reason ?? "";
        var hidden = Hide(reason);
        return string.Equals(hidden, reason, StringComparison.Ordinal) ? error : new Error(error.Code, hidden, error.IsFatal);
    }

    // Of PEM text each line: what writes it may break it elsewhere.
    private static IEnumerable<string> Parts(string value)
    {
        yield return value;
        foreach (var line in value.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
            .Where(line => line.Length >= ShortestLine && !line.StartsWith("-----", StringComparison.Ordinal)))
        {
            yield return line;
        }
    }

    // Neither a user in the address nor a query, which may be secrets. A password may contain anything, so the address need not be a valid one.
    private static IEnumerable<string> PartsOfUrl(string url)
    {
        var start = url.IndexOf("://", StringComparison.Ordinal) is >= 0 and var scheme ? scheme + 3 : 0;
        var query = url.IndexOf('?', start);
        var authority = query < 0 ? url[start..] : url[start..query];
        if (authority.LastIndexOf('@') is > 0 and var at)
        {
            var user = authority[..at];
            yield return user;
            if (user.IndexOf(':', StringComparison.Ordinal) is >= 0 and var colon)
            {
                yield return user[(colon + 1)..];
                yield return Uri.UnescapeDataString(user[(colon + 1)..]);
            }
        }

        if (query < 0)
        {
            yield break;
        }

        yield return url[(query + 1)..];
        foreach (var pair in url[(query + 1)..].Split('&'))
        {
            var value = pair[(pair.IndexOf('=', StringComparison.Ordinal) + 1)..];
            if (value.Length >= ShortestEncoded)
            {
                yield return value;
                yield return Uri.UnescapeDataString(value);
            }
        }
    }

    private static IEnumerable<string> Forms(string secret)
    {
        yield return secret;
        yield return secret.Trim();
        if (secret.Length < ShortestEncoded)
        {
            yield break;
        }

        var urls = new[] { Uri.EscapeDataString(secret), WebUtility.UrlEncode(secret) };
        string[] encoded =
        [
            .. urls, .. urls.Select(url => Escape().Replace(url, static match => match.Value.ToLowerInvariant())),
            JavaScriptEncoder.Default.Encode(secret), JavaScriptEncoder.UnsafeRelaxedJsonEscaping.Encode(secret), WebUtility.HtmlEncode(secret),
        ];
        foreach (var form in encoded.Concat(new[] { secret, urls[0], urls[1] }.Distinct(StringComparer.Ordinal).SelectMany(Base64)))
        {
            yield return form;
        }
    }

    // The characters that depend on the secret alone, wherever in the encoded text it begins.
    private static IEnumerable<string> Base64(string secret)
    {
        var bytes = Encoding.UTF8.GetBytes(secret);
        for (var offset = 0; offset < 3; offset++)
        {
            var text = Convert.ToBase64String([.. new byte[offset], .. bytes]);
            var first = offset == 0 ? 0 : offset + 1;
            var end = (offset + bytes.Length) * 4 / 3;
            if (end - first >= ShortestBase64)
            {
                var core = text[first..end];
                yield return core;
                yield return core.Replace('+', '-').Replace('/', '_');
            }
        }
    }

    [GeneratedRegex(@"password|secret|passphrase|\.pem$|oauthbearer\.config$|jaas", RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 1000)]
    private static partial Regex SecretProperty();

    [GeneratedRegex("%[0-9A-F]{2}", RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Escape();

    [GeneratedRegex(@"(?<=://)[^/\s@""']+@", RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 1000)]
    private static partial Regex UserInUrl();

    [GeneratedRegex(@"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]*)?", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture,
        matchTimeoutMilliseconds: 1000)]
    private static partial Regex WebToken();
}
