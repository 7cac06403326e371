using System.Buffers.Text;
using System.Text;
using Amazon.Runtime;
using Amazon.Runtime.CredentialManagement;
using Amazon.Runtime.Credentials;

namespace Narad.Kafka.Aws;

/// <summary>
/// Signs tokens for Amazon MSK with whatever keys are valid at that moment. A token is good for 15 minutes, or until the keys expire, whichever comes
/// first. Thread-safe.
/// </summary>
internal sealed class MskIamTokens
{
    // The longest that MSK allows.
    private static readonly TimeSpan Life = TimeSpan.FromSeconds(900);

    private readonly Func<string> _region;
    private readonly AWSCredentials? _given;
    private readonly string? _profile;
    private readonly string? _roleArn;
    private readonly string _roleSession;
    private readonly string? _externalId;
    private readonly TimeProvider _time;

    // Found once it works: the SDK's credentials renew themselves.
    private AWSCredentials? _credentials;

    public MskIamTokens(MskIamOptions options, KafkaOptions kafka)
    {
        if (options.Region is { Length: > 0 } region && !MskRegion.IsRegion(region))
        {
            throw new ArgumentException($"'{region}' is no AWS region: write one such as eu-central-1.", nameof(options));
        }

        var given = options.Region;
        _region = () => MskRegion.Of(given, kafka.Brokers);   // the brokers may be named later
        _given = options.Credentials;
        _profile = options.Profile;
        _roleArn = options.RoleArn;
        _roleSession = options.RoleSessionName;
        _externalId = options.ExternalId;
        _time = options.TimeProvider;
    }

    public async ValueTask<OAuthBearerToken> GetAsync(CancellationToken cancellationToken)
    {
        var region = _region();
        AWSCredentials credentials;
        ImmutableCredentials keys;
        try
        {
            // The SDK cannot be cancelled here; whoever asks gives up instead.
            credentials = _credentials ?? await FindAsync(region).ConfigureAwait(false);
            keys = await credentials.GetCredentialsAsync().WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (AmazonServiceException error)
        {
            throw new OAuthBearerTokenException(
                $"{(_roleArn is null ? "AWS gave no credentials" : $"the role {_roleArn} could not be assumed")}: {error.ErrorCode}, {error.Message}", error);
        }
        catch (AmazonClientException error)
        {
            throw new OAuthBearerTokenException($"there are no AWS credentials: {error.Message}", error);
        }

        _credentials = credentials;
        var now = _time.GetUtcNow();
        var address = MskIamSignature.Presign(keys.AccessKey, keys.SecretKey, keys.Token, region, now, Life);
        var expires = now + Life;
        if (credentials.Expiration is { } end && Utc(end) is var last && last < expires)
        {
            expires = last;
        }

        // The name of the caller, which the broker adds to its log.
        var token = Base64Url.EncodeToString(Encoding.UTF8.GetBytes($"{address}&User-Agent=narad-kafka"));
        return new OAuthBearerToken(token, expires, _roleArn ?? "AWS IAM");
    }

    // The SDK writes some of its times without a zone; all are UTC.
    private static DateTimeOffset Utc(DateTime time) =>
        new(time.Kind is DateTimeKind.Local ? time.ToUniversalTime() : DateTime.SpecifyKind(time, DateTimeKind.Utc));

    private async Task<AWSCredentials> FindAsync(string region)
    {
        AWSCredentials? found = _given;
        if (found is null && _profile is not null)
        {
            if (!new CredentialProfileStoreChain().TryGetAWSCredentials(_profile, out found))
            {
                throw new OAuthBearerTokenException(
                    $"there is no AWS profile '{_profile}' with credentials: look into ~/.aws/credentials and ~/.aws/config, or where "
                        + $"AWS_SHARED_CREDENTIALS_FILE points");
            }
        }

        found ??= await DefaultAWSCredentialsIdentityResolver.GetCredentialsAsync().ConfigureAwait(false);
        return _roleArn is null ? found : new AssumedRole(found, region, _roleArn, _roleSession, _externalId);
    }
}
