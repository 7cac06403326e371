using Azure.Core;
using Azure.Identity;

namespace Narad.Kafka.Azure;

/// <summary>Tokens of Microsoft Entra ID for an Event Hubs namespace. Thread-safe; the credential keeps tokens and renews them in time.</summary>
internal sealed class EntraTokens(TokenCredential? credential, string host)
{
    private readonly Lazy<TokenCredential> _credential = new(() => credential ?? new DefaultAzureCredential());

    public async ValueTask<OAuthBearerToken> GetAsync(CancellationToken cancellationToken)
    {
        var scope = $"https://{host}/.default";
        try
        {
            var token = await _credential.Value.GetTokenAsync(new TokenRequestContext([scope]), cancellationToken).ConfigureAwait(false);
            return new OAuthBearerToken(token.Token, token.ExpiresOn, "Entra ID");
        }
        catch (AuthenticationFailedException error)
        {
            throw new OAuthBearerTokenException($"Entra ID gave no token for {scope}: {error.Message}", error);
        }
    }
}
