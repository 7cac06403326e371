using System.Text;
using Narad.Kafka.Shared;
using Narad.Kafka.Testing;

namespace Narad.Kafka.Tests.Security;

/// <summary>Tokens of an identity provider, which here is an endpoint on this machine.</summary>
[Trait("Promise", "S29")]
public sealed class OidcTokenProviderTests
{
    private const string Secret = "s3cret/&=ü";

    [Fact]
    public async Task A_token_is_fetched_by_the_client_credentials_grant_with_its_life_principal_and_extensions()
    {
        var jwt = UnsecuredToken.Create("service-7").Value;
        await using var endpoint = LoopbackEndpoint.Json($$"""{"access_token":"{{jwt}}","token_type":"bearer","expires_in":300}""");
        var time = new ManualTime();
        time.Advance(TimeSpan.FromDays(1));
        var source = new OidcTokenProvider(Options(endpoint), time: time);

        var token = await source.GetAsync(default);

        token.Value.Should().Be(jwt);
        token.ExpiresAt.Should().Be(DateTimeOffset.UnixEpoch.AddDays(1).AddSeconds(300));
        token.Principal.Should().Be("service-7");
        token.Extensions.Should().BeEquivalentTo(new Dictionary<string, string> { ["logicalCluster"] = "lkc-1", ["identityPoolId"] = "pool-2" });
        var (head, body) = endpoint.Requests.Should().ContainSingle().Subject;
        head.Should().StartWith("POST /token HTTP/1.1").And.Contain("Content-Type: application/x-www-form-urlencoded");
        Basic(head).Should().Be("me%3Ame:s3cret%2F%26%3D%C3%BC");
        body.Should().Be("grant_type=client_credentials&scope=kafka+read");
    }

    [Theory]
    [InlineData("""{"access_token":"opaque","expires_in":"60"}""", "opaque", 60, "me:me")]
    [InlineData("""{"access_token":"a.e30.c","expires_in":60.5}""", "a.e30.c", 60.5, "me:me")]
    [InlineData("""{"access_token":"a.eyJleHAiOjkwLCJzdWIiOiJ5b3UifQ.c"}""", "a.eyJleHAiOjkwLCJzdWIiOiJ5b3UifQ.c", 90, "you")]
    [InlineData("""{"access_token":"a.***.c","expires_in":60,"token_type":null}""", "a.***.c", 60, "me:me")]
    public async Task Providers_that_say_it_otherwise_are_understood(string answer, string value, double seconds, string principal)
    {
        await using var endpoint = LoopbackEndpoint.Json(answer);

        var token = await new OidcTokenProvider(Options(endpoint), time: new ManualTime()).GetAsync(default);

        token.Value.Should().Be(value);
        token.ExpiresAt.Should().Be(DateTimeOffset.UnixEpoch.AddSeconds(seconds));
        token.Principal.Should().Be(principal);
    }

    [Theory]
    [Trait("Promise", "S30")]
    [InlineData("401 Unauthorized", "application/json", """{"error":"invalid_client","error_description":"The secret s3cret/&=ü is wrong."}""", "answered 401 (Unauthorized): invalid_client, The secret … is wrong")]
    [InlineData("400 Bad Request", "application/json", """{"error":"invalid_scope"}""", "answered 400 (BadRequest): invalid_scope")]
    [InlineData("503 Service Unavailable", "text/html", "<html>s3cret/&=ü</html>", "answered 503 (ServiceUnavailable)")]
    [InlineData("302 Found", "text/html", "", "answered 302 (Found)")]
    [InlineData("200 OK", "text/html", "<html></html>", "not with JSON")]
    [InlineData("200 OK", "application/json", """{"error":"server_error"}""", "without an access_token: server_error")]
    [InlineData("200 OK", "application/json", """["access_token"]""", "without an access_token")]
    [InlineData("200 OK", "application/json", """{"access_token":"opaque"}""", "how long its token is good")]
    [InlineData("200 OK", "application/json", """{"access_token":"opaque","expires_in":60,"token_type":"MAC"}""", "another type than Bearer")]
    public async Task A_refusal_names_endpoint_status_and_reason_and_no_secret(string status, string type, string body, string words)
    {
        await using var endpoint = new LoopbackEndpoint((_, _) => Task.FromResult((status, type, body)));
        var options = Options(endpoint);
        options.TokenEndpoint += "?key=s3cret/&=ü";

        var failed = await new OidcTokenProvider(options).Awaiting(source => source.GetAsync(default).AsTask()).Should()
            .ThrowAsync<OAuthBearerTokenException>();

        failed.Which.Message.Should().Contain($"{endpoint.Address}token").And.Contain(words).And.Contain("me:me");
        failed.Which.ToString().Should().NotContain(Secret).And.NotContain("s3cret").And.NotContain("opaque");
    }

    [Fact]
    public async Task An_endpoint_that_is_not_there_or_never_answers_is_named()
    {
        var silence = new TaskCompletionSource<(string, string, string)>();
        await using var endpoint = new LoopbackEndpoint((_, _) => silence.Task);
        using var impatient = new HttpClient { Timeout = TimeSpan.FromMilliseconds(200) };
        var slow = new OidcTokenProvider(Options(endpoint), impatient);
        var options = Options(endpoint);
        options.TokenEndpoint = "http://127.0.0.1:1/token";
        var absent = new OidcTokenProvider(options);

        (await slow.Awaiting(source => source.GetAsync(default).AsTask()).Should().ThrowAsync<OAuthBearerTokenException>())
            .WithMessage($"*{endpoint.Address}token did not answer in time*");
        (await absent.Awaiting(source => source.GetAsync(default).AsTask()).Should().ThrowAsync<OAuthBearerTokenException>())
            .WithMessage("*http://127.0.0.1:1/token could not be asked*");
    }

    [Fact]
    public async Task Who_gives_up_is_not_told_of_a_refusal()
    {
        var silence = new TaskCompletionSource<(string, string, string)>();
        await using var endpoint = new LoopbackEndpoint((_, _) => silence.Task);
        using var stopping = new CancellationTokenSource();
        var asking = new OidcTokenProvider(Options(endpoint)).GetAsync(stopping.Token).AsTask();
        await Waiting.Until(() => !endpoint.Requests.IsEmpty, "it is asked");
        await stopping.CancelAsync();

        await FluentActions.Awaiting(() => asking).Should().ThrowAsync<OperationCanceledException>();
    }

    [Theory]
    [InlineData("", "s", "https://id/token", null)]
    [InlineData("me", "", "https://id/token", null)]
    [InlineData("me", "s", "http://id.example/token", null)]
    [InlineData("me", "s", "token", null)]
    [InlineData("me", "s", "https://id/token", "lkc-ü")]
    public void Settings_that_cannot_work_are_refused(string id, string secret, string endpoint, string? cluster) =>
        FluentActions.Invoking(() =>
            new OidcTokenProvider(new OidcOptions { ClientId = id, ClientSecret = secret, TokenEndpoint = endpoint, LogicalCluster = cluster })).Should()
            .Throw<ArgumentException>();

    [SkippableFact]
    public async Task Settings_alone_log_in_to_a_real_broker_through_an_identity_provider()
    {
        await using var endpoint = new LoopbackEndpoint((_, _) =>
            Task.FromResult(("200 OK", "application/json", $$"""{"access_token":"{{UnsecuredToken.Create("token-test", TimeSpan.FromSeconds(5)).Value}}","expires_in":5}""")));
        var options = TokenListener.Options(TokenListener.Tls, TokenListener.Tokens(TimeSpan.Zero));
        options.Sasl.TokenProvider = null;
        options.Sasl.Oidc = new OidcOptions { ClientId = "me", ClientSecret = Secret, TokenEndpoint = $"{endpoint.Address}token" };
        await using var service = new TokenService(options);
        var topic = await RealKafka.CreateTopicAsync();

        await service.ConnectAsync(topic);
        await service.Kafka.SendAsync(topic, "hello");
        await Waiting.Until(() => service.Received.Contains("hello") && endpoint.Requests.Count > 1, "it came, and the token was renewed");
    }

    [SkippableFact]
    public async Task An_identity_provider_that_refuses_is_named_by_the_exception_of_connecting()
    {
        await using var endpoint = LoopbackEndpoint.Json("""{"error":"invalid_client","error_description":"Unknown client."}""", "401 Unauthorized");
        var options = TokenListener.Options(TokenListener.Plaintext, TokenListener.Tokens(TimeSpan.Zero));
        options.ConnectTimeout = TimeSpan.FromSeconds(3);
        options.Sasl.TokenProvider = null;
        options.Sasl.Oidc = new OidcOptions { ClientId = "me", ClientSecret = Secret, TokenEndpoint = $"{endpoint.Address}token" };
        await using var service = new TokenService(options);

        (await service.Kafka.Awaiting(kafka => kafka.ConnectProducerAsync()).Should().ThrowAsync<KafkaConnectionException>())
            .WithMessage($"*{endpoint.Address}token answered 401 (Unauthorized): invalid_client, Unknown client*").Which.ToString().Should().NotContain(Secret);
    }

    private static OidcOptions Options(LoopbackEndpoint endpoint) => new()
    {
        ClientId = "me:me",
        ClientSecret = Secret,
        TokenEndpoint = $"{endpoint.Address}token",
        Scope = "kafka read",
        LogicalCluster = "lkc-1",
        IdentityPoolId = " pool-2 ",
    };

    private static string Basic(string head)
    {
        const string Name = "Authorization: Basic ";
        var start = head.IndexOf(Name, StringComparison.Ordinal) + Name.Length;
        return Encoding.UTF8.GetString(Convert.FromBase64String(head[start..head.IndexOf('\r', start)]));
    }
}
