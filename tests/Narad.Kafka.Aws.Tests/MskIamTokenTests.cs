using System.Buffers.Text;
using System.Text;
using Amazon.Runtime;
using Microsoft.Extensions.Time.Testing;
using Narad.Kafka.Shared;

namespace Narad.Kafka.Aws.Tests;

/// <summary>The token itself: signature, life, region, and whose keys sign it. No key comes from the network.</summary>
public sealed class MskIamTokenTests
{
    // The example key of AWS's documentation.
    public const string Key = "AKIDEXAMPLE";
    public const string Secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
    private const string Broker = "b-1.orders.abc123.c2.kafka.us-east-1.amazonaws.com:9098";

    // The moment of the signatures below.
    private static readonly DateTimeOffset Now = new(2025, 1, 1, 0, 0, 0, TimeSpan.Zero);

    [Theory]
    [InlineData(null, "9b8f474d37276fea2751f999c5b6dca3020e6954c016bb92f4b495cb0cc113c5")]
    [InlineData("SESSION/TOKEN+x=", "dff54c339ecf24236aaf49beb934149e36b4e8372900420fd232466a0c850d07")]
    public async Task A_token_is_the_presigned_request_of_Connect(string? session, string signature)
    {
        var token = await TokenAsync(session is null ? new BasicAWSCredentials(Key, Secret) : new SessionAWSCredentials(Key, Secret, session), "us-east-1");

        Decoded(token).Should().Be(
            "https://kafka.us-east-1.amazonaws.com/?Action=kafka-cluster%3AConnect&X-Amz-Algorithm=AWS4-HMAC-SHA256" +
            "&X-Amz-Credential=AKIDEXAMPLE%2F20250101%2Fus-east-1%2Fkafka-cluster%2Faws4_request&X-Amz-Date=20250101T000000Z&X-Amz-Expires=900" +
            (session is null ? "" : "&X-Amz-Security-Token=SESSION%2FTOKEN%2Bx%3D") +
            $"&X-Amz-SignedHeaders=host&X-Amz-Signature={signature}&User-Agent=narad-kafka");
        token.Value.Should().NotContainAny("=", "+", "/");
        token.ExpiresAt.Should().Be(Now.AddSeconds(900));
        token.ToString().Should().NotContainAny(Key, Secret, token.Value);
    }

    [Theory]
    [InlineData(60, 60)]
    [InlineData(900, 900)]
    [InlineData(3600, 900)]
    [InlineData(-5, -5)]
    public async Task A_token_is_good_for_15_minutes_or_until_its_keys_expire(int keys, int token) =>
        (await TokenAsync(new KeysFor(TimeSpan.FromSeconds(keys)), "us-east-1")).ExpiresAt.Should().Be(Now.AddSeconds(token));

    [Theory]
    [InlineData("eu-west-3", Broker, "us-west-1", "eu-west-3")]
    [InlineData(null, Broker, "us-west-1", "us-east-1")]
    [InlineData(null, "proxy:9098, BOOT-1.C1.KAFKA-SERVERLESS.AP-SOUTHEAST-2.AMAZONAWS.COM:9098", "us-west-1", "ap-southeast-2")]
    [InlineData(null, "b-1.x.abc123.c2.kafka.cn-north-1.amazonaws.com.cn:9098", null, "cn-north-1")]
    [InlineData(null, "b-1-public.x.abc123.c2.kafka.eu-central-1.amazonaws.com:9198", null, "eu-central-1")]
    [InlineData(null, "kafka.internal:9098", "us-west-1", "us-west-1")]
    public async Task The_region_is_as_given_or_as_the_brokers_are_named_or_as_the_environment_says(
        string? given, string brokers, string? environment, string region)
    {
        using var variables = new Variables(("AWS_REGION", environment));

        Decoded(await TokenAsync(new BasicAWSCredentials(Key, Secret), given, brokers)).Should().StartWith($"https://kafka.{region}.amazonaws.com/?")
            .And.Contain($"%2F{region}%2Fkafka-cluster%2F");
    }

    [Fact]
    public async Task A_region_that_nothing_says_and_one_that_is_none_are_refused()
    {
        using var variables = new Variables();

        (await FluentActions.Awaiting(() => TokenAsync(new BasicAWSCredentials(Key, Secret), region: null, "kafka.internal:9098")).Should()
            .ThrowAsync<OAuthBearerTokenException>()).WithMessage("*UseMskIam(\"eu-central-1\")*AWS_REGION*");
        FluentActions.Invoking(() => new KafkaOptions().UseMskIam("evil.example/")).Should().Throw<ArgumentException>().WithMessage("*evil.example/*");
    }

    [Fact]
    public async Task Keys_come_from_the_environment()
    {
        using var variables = new Variables(("AWS_ACCESS_KEY_ID", Key), ("AWS_SECRET_ACCESS_KEY", Secret), ("AWS_SESSION_TOKEN", "SESSION/TOKEN+x="));

        Decoded(await TokenAsync(credentials: null, "us-east-1")).Should().Contain("dff54c339ecf24236aaf49beb934149e36b4e8372900420fd232466a0c850d07");
    }

    [Fact]
    public async Task Keys_come_from_a_profile()
    {
        using var variables = new Variables();

        Decoded(await TokenAsync(null, "us-east-1", configure: aws => aws.Profile = "kafka")).Should()
            .Contain("9b8f474d37276fea2751f999c5b6dca3020e6954c016bb92f4b495cb0cc113c5");
        (await FluentActions.Awaiting(() => TokenAsync(null, "us-east-1", configure: aws => aws.Profile = "other")).Should()
            .ThrowAsync<OAuthBearerTokenException>()).WithMessage("*profile 'other'*");
    }

    [Fact]
    public async Task A_machine_without_keys_says_so()
    {
        using var variables = new Variables();

        (await FluentActions.Awaiting(() => TokenAsync(null, "us-east-1")).Should().ThrowAsync<OAuthBearerTokenException>())
            .WithMessage("there are no AWS credentials: *");
    }

    [Fact]
    public async Task A_role_is_assumed_in_the_clusters_region_and_its_keys_are_kept_until_they_near_their_end()
    {
        var expires = DateTimeOffset.UtcNow.AddMinutes(20);
        await using var service = new LoopbackEndpoint((_, _) => Task.FromResult(("200 OK", "text/xml", $"""
            <AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>
              <AccessKeyId>ROLEKEY</AccessKeyId><SecretAccessKey>{Secret}</SecretAccessKey><SessionToken>ROLESESSION</SessionToken><Expiration>{expires:yyyy-MM-ddTHH:mm:ssZ}</Expiration>
            </Credentials></AssumeRoleResult></AssumeRoleResponse>
            """)));
        using var variables = new Variables(("AWS_ENDPOINT_URL_STS", service.Address.ToString()));
        var options = new KafkaOptions { Brokers = Broker }.UseMskIam("eu-west-3", "arn:aws:iam::123456789012:role/kafka", aws =>
        {
            aws.Credentials = new BasicAWSCredentials(Key, Secret);
            aws.ExternalId = "customer-7";
        });

        var token = await options.Sasl.TokenProvider!(default);
        await options.Sasl.TokenProvider(default);

        Decoded(token).Should().Contain("X-Amz-Credential=ROLEKEY%2F").And.Contain("X-Amz-Security-Token=ROLESESSION");
        token.Principal.Should().Be("arn:aws:iam::123456789012:role/kafka");
        var (head, body) = service.Requests.Should().ContainSingle("its keys are good for a while").Subject;
        body.Should().Contain("Action=AssumeRole").And.Contain("RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fkafka")
            .And.Contain("RoleSessionName=narad-kafka").And.Contain("ExternalId=customer-7");
        head.Should().Contain($"Credential={Key}/").And.Contain("/eu-west-3/sts/");
    }

    [Fact]
    public async Task A_role_that_is_refused_is_named_with_the_reason()
    {
        await using var service = new LoopbackEndpoint((_, _) => Task.FromResult(("403 Forbidden", "text/xml", """
            <ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>Not you.</Message></Error><RequestId>1</RequestId></ErrorResponse>
            """)));
        using var variables = new Variables(("AWS_ENDPOINT_URL_STS", service.Address.ToString()));
        var options = new KafkaOptions { Brokers = Broker }.UseMskIam(
            roleArn: "arn:aws:iam::123456789012:role/kafka", configure: aws => aws.Credentials = new BasicAWSCredentials(Key, Secret));

        var failed = await FluentActions.Awaiting(() => options.Sasl.TokenProvider!(default).AsTask()).Should().ThrowAsync<OAuthBearerTokenException>();

        failed.Which.Message.Should().Be("the role arn:aws:iam::123456789012:role/kafka could not be assumed: AccessDenied, Not you.");
        failed.Which.ToString().Should().NotContain(Secret);
    }

    private static async Task<OAuthBearerToken> TokenAsync(
        AWSCredentials? credentials, string? region, string brokers = Broker, Action<MskIamOptions>? configure = null)
    {
        var options = new KafkaOptions { Brokers = brokers }.UseMskIam(region, configure: aws =>
        {
            aws.Credentials = credentials;
            aws.TimeProvider = new FakeTimeProvider(Now);
            configure?.Invoke(aws);
        });
        return await options.Sasl.TokenProvider!(default);
    }

    private static string Decoded(OAuthBearerToken token) => Encoding.UTF8.GetString(Base64Url.DecodeFromChars(token.Value));

    private sealed class KeysFor(TimeSpan life) : AWSCredentials
    {
        public override DateTime? Expiration => (Now + life).UtcDateTime;

        public override ImmutableCredentials GetCredentials() => new(Key, Secret, token: null);
    }
}
