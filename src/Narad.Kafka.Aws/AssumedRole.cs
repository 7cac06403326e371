using Amazon;
using Amazon.Runtime;
using Amazon.SecurityToken;
using Amazon.SecurityToken.Model;

namespace Narad.Kafka.Aws;

/// <summary>
/// The keys of a role, assumed in the cluster's own region with other credentials, and again five minutes before they expire. Thread-safe, as its base is.
/// </summary>
internal sealed class AssumedRole : RefreshingAWSCredentials
{
    private readonly AWSCredentials _by;
    private readonly AmazonSecurityTokenServiceConfig _service;
    private readonly AssumeRoleRequest _request;

    public AssumedRole(AWSCredentials by, string region, string arn, string session, string? externalId)
    {
        _by = by;
        _service = new AmazonSecurityTokenServiceConfig { RegionEndpoint = RegionEndpoint.GetBySystemName(region), AuthenticationRegion = region };
        _request = new AssumeRoleRequest { RoleArn = arn, RoleSessionName = session, ExternalId = externalId };
        PreemptExpiryTime = TimeSpan.FromMinutes(5);
    }

    protected override async Task<CredentialsRefreshState> GenerateNewCredentialsAsync()
    {
        using var service = new AmazonSecurityTokenServiceClient(_by, _service);
        var assumed = await service.AssumeRoleAsync(_request).ConfigureAwait(false);
        var keys = assumed.Credentials;
        return new CredentialsRefreshState(
            new ImmutableCredentials(keys.AccessKeyId, keys.SecretAccessKey, keys.SessionToken), keys.Expiration?.ToUniversalTime()
                ?? throw new OAuthBearerTokenException($"AWS did not say how long the keys of {_request.RoleArn} are good"));
    }
}
