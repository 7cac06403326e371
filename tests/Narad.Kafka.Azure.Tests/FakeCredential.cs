using System.Collections.Concurrent;
using Azure.Core;
using Narad.Kafka.Testing;

namespace Narad.Kafka.Azure.Tests;

/// <summary>A credential that gives unsecured tokens of this life, or fails; it asks nobody.</summary>
internal sealed class FakeCredential(TimeSpan life, Exception? failure = null) : TokenCredential
{
    public ConcurrentQueue<string> Scopes { get; } = new();

    public override AccessToken GetToken(TokenRequestContext requestContext, CancellationToken cancellationToken)
    {
        Scopes.Enqueue(string.Join(' ', requestContext.Scopes));
        if (failure is not null)
        {
            throw failure;
        }

        var token = UnsecuredToken.Create("entra-test", life);
        return new AccessToken(token.Value, token.ExpiresAt);
    }

    public override ValueTask<AccessToken> GetTokenAsync(TokenRequestContext requestContext, CancellationToken cancellationToken) =>
        new(GetToken(requestContext, cancellationToken));
}
