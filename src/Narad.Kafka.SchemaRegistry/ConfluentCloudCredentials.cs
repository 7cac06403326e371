using System.Net.Http.Headers;
using Confluent.SchemaRegistry;

namespace Narad.Kafka.SchemaRegistry;

/// <summary>Tokens for a registry on Confluent Cloud, which must be told its own id (<c>lsrc-…</c>) and the identity pool in headers. Thread-safe.</summary>
internal sealed class ConfluentCloudCredentials(RegistryCredentials credentials, OidcOptions options) : IAuthenticationBearerHeaderValueProvider
{
    public AuthenticationHeaderValue? GetAuthenticationHeader() => credentials.GetAuthenticationHeader();

    public Task InitOrRefreshAsync() => credentials.PrepareAsync(CancellationToken.None);

    public bool NeedsInitOrRefresh() => credentials.NeedsToken;

    public string GetLogicalCluster() => options.LogicalCluster!;

    public string? GetIdentityPool() => options.IdentityPoolId;
}
