using System.Buffers.Text;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Narad.Kafka.Configuration;
using Narad.Kafka.Security;

namespace Narad.Kafka;

/// <summary>
/// Fetches tokens from an identity provider by the client-credentials grant (OAuth 2.0, RFC 6749 §4.4): what <see cref="SaslOptions.Oidc"/> makes of
/// itself, and <c>options.Sasl.TokenProvider = source.GetAsync</c> where an <see cref="HttpClient"/> of one's own is to be used. Thread-safe. It keeps no
/// token: each call fetches one.
/// </summary>
public sealed class OidcTokenProvider
{
    private const int LargestAnswer = 256 * 1024;
    private const int LongestReason = 300;
    private const double LongestLife = 100_000_000_000;   // seconds, and as a time the year 5138
    private static readonly TimeSpan DefaultTimeout = TimeSpan.FromSeconds(20);   // below what the service waits for a source, so that the reason is known

    // One for the process, as sockets want it; an answer of an identity provider never leads elsewhere, least of all with a secret.
    private static readonly Lazy<HttpClient> Shared = new(
        static () => new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false, PooledConnectionLifetime = TimeSpan.FromMinutes(5) })
    {
        Timeout = DefaultTimeout,
    });

    private readonly Uri _endpoint;
    private readonly string _clientId;
    private readonly string _clientSecret;
    private readonly SecretHiding _secrets;
    private readonly string? _scope;
    private readonly Dictionary<string, string> _extensions = new(StringComparer.Ordinal);
    private readonly HttpClient? _http;
    private readonly TimeProvider _time;

    /// <summary>Creates the source; asks for nothing yet.</summary>
    /// <param name="options">Where, as whom and for what; read once.</param>
    /// <param name="http">Carries the requests, and is not disposed; default: one of the library's own, which follows no redirects and waits 20 s for an
    /// answer.</param>
    /// <param name="time">The clock; default the system's.</param>
    /// <exception cref="ArgumentException">A setting is missing or malformed.</exception>
    public OidcTokenProvider(OidcOptions options, HttpClient? http = null, TimeProvider? time = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (string.IsNullOrWhiteSpace(options.ClientId) || string.IsNullOrEmpty(options.ClientSecret))
        {
            throw new ArgumentException("OidcOptions need a ClientId and a ClientSecret.", nameof(options));
        }

        if (!Uri.TryCreate(options.TokenEndpoint, UriKind.Absolute, out var endpoint)
            || !(endpoint.Scheme is "https" || (endpoint.Scheme is "http" && endpoint.IsLoopback)))
        {
            throw new ArgumentException(
                "OidcOptions.TokenEndpoint must be an absolute https address (http on this machine only): the secret goes there.", nameof(options));
        }

        Extend("logicalCluster", options.LogicalCluster);
        Extend("identityPoolId", options.IdentityPoolId);
        if (TokenRules.ExtensionError(_extensions) is { } error)
        {
            throw new ArgumentException($"OidcOptions: {error}.", nameof(options));
        }

        _endpoint = endpoint;
        _clientId = options.ClientId;
        _clientSecret = options.ClientSecret;
        _secrets = SecretHiding.Of(options.ClientSecret);
        _scope = options.Scope;
        _http = http;
        _time = time ?? TimeProvider.System;
    }

    // Neither a user in the address nor a query, which may be secrets.
    private string Where => _endpoint.GetComponents(UriComponents.SchemeAndServer | UriComponents.Path, UriFormat.UriEscaped);

    /// <summary>Fetches a token; a <see cref="OAuthBearerTokenProvider"/>.</summary>
    /// <exception cref="OAuthBearerTokenException">It was refused, or there was no answer, or one that is none. The message names the endpoint, the status
    /// and the provider's reason.</exception>
    public async ValueTask<OAuthBearerToken> GetAsync(CancellationToken cancellationToken)
    {
        var asked = _time.GetUtcNow();
        var (status, body) = await AskAsync(cancellationToken).ConfigureAwait(false);
        JsonElement answer;
        try
        {
            using var document = JsonDocument.Parse(body);
            answer = document.RootElement.Clone();
        }
        catch (JsonException)
        {
            throw Failure(status is HttpStatusCode.OK ? "answered 200, but not with JSON: is it the address of tokens?" : $"answered {Said(status)}");
        }

        if (status is not HttpStatusCode.OK)
        {
            throw Failure($"answered {Said(status)}{Reason(answer)}");
        }

        if (Text(answer, "access_token") is not { Length: > 0 } value)
        {
            throw Failure($"answered 200 without an access_token{Reason(answer)}");
        }

        if (Text(answer, "token_type") is { } type && !string.Equals(type, "Bearer", StringComparison.OrdinalIgnoreCase))
        {
            throw Failure("gives tokens of another type than Bearer, which is the only one that Kafka takes");
        }

        var claims = Claims(value);
        var expires = Seconds(answer, "expires_in") is { } seconds
            ? asked.AddSeconds(seconds)
            : Seconds(claims, "exp") is { } expiry
                ? DateTimeOffset.UnixEpoch.AddSeconds(expiry)
                : throw Failure("does not say how long its token is good: there is no expires_in, and the token has no claim exp");
        return new OAuthBearerToken(value, expires, Text(claims, "sub") ?? _clientId) { Extensions = _extensions };
    }

    private void Extend(string name, string? value)
    {
        if (!string.IsNullOrWhiteSpace(value))
        {
            _extensions.Add(name, value.Trim());
        }
    }

    private async Task<(HttpStatusCode Status, byte[] Body)> AskAsync(CancellationToken cancellationToken)
    {
        var form = new Dictionary<string, string>(StringComparer.Ordinal) { ["grant_type"] = "client_credentials" };
        if (!string.IsNullOrWhiteSpace(_scope))
        {
            form.Add("scope", _scope);
        }

        using var request = new HttpRequestMessage(HttpMethod.Post, _endpoint) { Content = new FormUrlEncodedContent(form) };

        // RFC 6749 §2.3.1: every server takes this; each part is encoded as in a form first.
        request.Headers.Authorization = new AuthenticationHeaderValue(
            "Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes($"{WebUtility.UrlEncode(_clientId)}:{WebUtility.UrlEncode(_clientSecret)}")));
        request.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue("application/json"));
        try
        {
            using var response = await (_http ?? Shared.Value).SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken)
                .ConfigureAwait(false);
            await response.Content.LoadIntoBufferAsync(LargestAnswer, cancellationToken).ConfigureAwait(false);
            return (response.StatusCode, await response.Content.ReadAsByteArrayAsync(cancellationToken).ConfigureAwait(false));
        }
        catch (HttpRequestException error)
        {
            throw new OAuthBearerTokenException(Sentence($"could not be asked ({Hide(error.Message)})"), error);
        }
        catch (OperationCanceledException error) when (!cancellationToken.IsCancellationRequested)
        {
            throw new OAuthBearerTokenException(Sentence("did not answer in time"), error);
        }
    }

    private OAuthBearerTokenException Failure(string what) => new(Sentence(what));

    private string Sentence(string what) => $"The token endpoint {Where} {what}. (Client id {_clientId}.)";

    private static string Said(HttpStatusCode status) => string.Create(CultureInfo.InvariantCulture, $"{(int)status} ({status})");

    // RFC 6749 §5.2: an error and, where it is kind, a description.
    private string Reason(JsonElement answer)
    {
        var error = Text(answer, "error");
        var description = Text(answer, "error_description");
        var reason = (error, description) switch
        {
            (null, null) => "",
            (null, _) => $": {description}",
            (_, null) => $": {error}",
            _ => $": {error}, {description}",
        };
        reason = Hide(reason.ReplaceLineEndings(" "));
        return reason.Length > LongestReason ? reason[..LongestReason] + "…" : reason.TrimEnd('.');
    }

    private string Hide(string text) => _secrets.Hide(text);

    // Of a token that is a JWT; what is in another one is the broker's affair.
    private static JsonElement Claims(string token)
    {
        var parts = token.Split('.');
        if (parts.Length is not 3)
        {
            return default;
        }

        try
        {
            using var claims = JsonDocument.Parse(Base64Url.DecodeFromChars(parts[1]));
            return claims.RootElement.Clone();
        }
        catch (Exception error) when (error is FormatException or JsonException)
        {
            return default;
        }
    }

    private static string? Text(JsonElement from, string name) =>
        from.ValueKind is JsonValueKind.Object && from.TryGetProperty(name, out var value) && value.ValueKind is JsonValueKind.String ? value.GetString()
            : null;

    // Some providers write numbers as text.
    private static double? Seconds(JsonElement from, string name)
    {
        if (from.ValueKind is not JsonValueKind.Object || !from.TryGetProperty(name, out var value))
        {
            return null;
        }

        var read = value.ValueKind is JsonValueKind.Number
            ? value.TryGetDouble(out var number)
            : double.TryParse(value.ValueKind is JsonValueKind.String ? value.GetString() : null, CultureInfo.InvariantCulture, out number);
        return read && number is > 0 and < LongestLife ? number : null;
    }
}
