using System.Net.Http.Headers;
using System.Text;
using Confluent.SchemaRegistry;

namespace Narad.Kafka.SchemaRegistry;

/// <summary>
/// The <c>Authorization</c> header of requests to the registry. A token is fetched before it is needed for the first time, and again at 80 % of its life; a
/// renewal that
/// fails is tolerated while the old token is good. Thread-safe.
/// </summary>
internal sealed class RegistryCredentials : IAuthenticationHeaderValueProvider, IDisposable
{
    private const double RenewedAt = 0.8;

    private readonly OAuthBearerTokenProvider? _tokens;
    private readonly AuthenticationHeaderValue? _basic;
    private readonly TimeProvider _time;
    private readonly SemaphoreSlim _renewing = new(1, 1);
    private volatile Held? _held;

    public RegistryCredentials(SchemaRegistryOptions options, KafkaOptions? kafka, TimeProvider time)
    {
        _time = time;
        var sasl = options.UseKafkaCredentials ? kafka?.Sasl : null;
        var oidc = options.Oidc ?? sasl?.Oidc;
        _tokens = options.TokenProvider ?? sasl?.TokenProvider ?? (oidc is null ? null : new OidcTokenProvider(oidc, time: time).GetAsync);
        if (_tokens is null && Basic(options, sasl) is var (user, password))
        {
            _basic = new AuthenticationHeaderValue("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes($"{user}:{password}")));
        }
    }

    /// <summary>Whether the Kafka service has credentials that a registry takes.</summary>
    public static bool HasKafkaCredentials(KafkaOptions kafka) => kafka.Sasl is { } sasl &&
        (sasl.TokenProvider is not null || sasl.Oidc is not null || (sasl.Username is { Length: > 0 } && sasl.Password is { Length: > 0 }));

    /// <summary>Sees to it that there is a token that is good.</summary>
    /// <exception cref="OAuthBearerTokenException">There is none, and none was given.</exception>
    public async Task PrepareAsync(CancellationToken cancellationToken)
    {
        if (_tokens is null || !IsDue(_held))
        {
            return;
        }

        await _renewing.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (!IsDue(_held))
            {
                return;
            }

            var now = _time.GetUtcNow();
            var token = await _tokens(cancellationToken).ConfigureAwait(false);
            _held = new Held(new AuthenticationHeaderValue("Bearer", token.Value), now + ((token.ExpiresAt - now) * RenewedAt), token.ExpiresAt);
        }
        catch (Exception error) when (error is not OperationCanceledException && _held is { } held && held.ExpiresAt > _time.GetUtcNow())
        {
            // The old one is good for a while.
        }
        finally
        {
            _renewing.Release();
        }
    }

    /// <summary>Whether <see cref="PrepareAsync"/> would fetch a token.</summary>
    public bool NeedsToken => _tokens is not null && IsDue(_held);

    public AuthenticationHeaderValue? GetAuthenticationHeader() => _basic ?? _held?.Header;

    public void Dispose() => _renewing.Dispose();

    private bool IsDue(Held? held) => held is null || _time.GetUtcNow() >= held.RenewAt;

    private static (string User, string Password)? Basic(SchemaRegistryOptions options, SaslOptions? sasl) =>
        options is { Username: { Length: > 0 } user, Password: { } password } ? (user, password)
        : sasl is { Username: { Length: > 0 } kafkaUser, Password: { } kafkaPassword } ? (kafkaUser, kafkaPassword)
        : RegistryAddress.Credentials(options.Url);

    private sealed record Held(AuthenticationHeaderValue Header, DateTimeOffset RenewAt, DateTimeOffset ExpiresAt);
}
