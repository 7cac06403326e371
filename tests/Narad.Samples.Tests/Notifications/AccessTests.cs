using System.Net;
using System.Net.Http.Headers;
using System.Net.WebSockets;
using Narad.Kafka;
using Notifications;
using Notifications.Access;
using Notifications.Storage;

namespace Narad.Samples.Tests.Notifications;

/// <summary>Who may read and send: with a token, and without one on the machine of the embedded broker.</summary>
public sealed class AccessTests
{
    private const string Key = "0123456789abcdef0123456789abcdef";

    [Fact]
    public async Task With_another_broker_than_the_embedded_one_a_token_is_required_and_its_subject_is_the_user()
    {
        await using var server = await TokenServer.StartAsync($"--Notifications:TokenKey={Key}");

        await server.RefusesAsync("/notifications?userId=user1", token: null, 401, "There is no token.");
        await server.RefusesAsync("/notifications?userId=user1", "no.token.atall", 401, "not valid");
        await server.RefusesAsync("/notifications?userId=user1", Token("user1", key: Key + "other"), 401, "not valid");
        await server.RefusesAsync("/notifications?userId=user1", Token("user1", age: TimeSpan.FromHours(2)), 401, "has expired");
        await server.RefusesAsync("/notifications?userId=user2", Token("user1"), 403, "subject of the token");
        (await server.GetAsync("/notifications?userId=user1", Token("user1"))).StatusCode.Should().Be(HttpStatusCode.OK);
        (await server.GetAsync("/notifications", Token("user1"))).StatusCode.Should().Be(HttpStatusCode.OK);

        (await server.PostAsync(Token("user1"))).StatusCode.Should().Be(HttpStatusCode.Forbidden);
        (await server.PostAsync(Token("user1", isSender: true))).StatusCode.Should().Be(HttpStatusCode.Accepted);
    }

    [Fact]
    public async Task A_socket_needs_a_token_too_and_comes_from_an_allowed_page()
    {
        await using var server = await TokenServer.StartAsync($"--Notifications:TokenKey={Key}", "--Notifications:AllowedOrigins:0=https://shop.example");

        (await server.SocketAsync("user1", token: null)).Should().Be(HttpStatusCode.Unauthorized);
        (await server.SocketAsync("user2", Token("user1"))).Should().Be(HttpStatusCode.Forbidden);
        (await server.SocketAsync("user1", Token("user1"))).Should().Be(HttpStatusCode.SwitchingProtocols);
        (await server.SocketAsync("user1", Token("user1"), "https://shop.example")).Should().Be(HttpStatusCode.SwitchingProtocols);
        (await server.SocketAsync("user1", Token("user1"), server.Url.GetLeftPart(UriPartial.Authority))).Should().Be(HttpStatusCode.SwitchingProtocols);
        (await server.SocketAsync("user1", Token("user1"), "https://other.example")).Should().Be(HttpStatusCode.Forbidden);
        (await server.SocketAsync("user1", Token("user1"), "null")).Should().Be(HttpStatusCode.Forbidden);
    }

    [Fact]
    public async Task Without_a_key_nobody_may_do_anything_and_the_answer_says_what_to_set()
    {
        await using var server = await TokenServer.StartAsync();

        await server.RefusesAsync("/notifications?userId=user1", Token("user1"), 401, "set Notifications:TokenKey");
    }

    [Theory]
    [InlineData("Host", "notifications.example")]
    [InlineData("X-Forwarded-For", "203.0.113.7")]
    [InlineData("Forwarded", "for=203.0.113.7")]
    public async Task On_the_embedded_broker_a_token_is_required_from_elsewhere(string header, string value)
    {
        await using var host = await NotificationsHost.StartAsync($"--Notifications:TokenKey={Key}");
        using var request = new HttpRequestMessage(HttpMethod.Get, "/notifications?userId=user1");
        request.Headers.TryAddWithoutValidation(header, value);

        (await host.Http.SendAsync(request)).StatusCode.Should().Be(HttpStatusCode.Unauthorized);
    }

    [Fact]
    public async Task On_the_embedded_broker_a_page_of_another_origin_may_not_connect()
    {
        await using var host = await NotificationsHost.StartAsync();

        var connecting = () => Device.ConnectAsync(host.Url, "user1", origin: "https://other.example");

        await connecting.Should().ThrowAsync<WebSocketException>();
    }

    [Fact]
    public async Task A_key_that_is_too_short_fails_the_start()
    {
        var start = () => TokenServer.StartAsync("--Notifications:TokenKey=short");

        await start.Should().ThrowAsync<Microsoft.Extensions.Options.OptionsValidationException>().WithMessage("*32 characters*");
    }

    [Fact]
    public void The_command_prints_a_token_or_says_what_is_missing()
    {
        using var output = new StringWriter();
        using var errors = new StringWriter();

        TokenCommand.Run(["user1", $"--Notifications:TokenKey={Key}", "--sender=true"], output, errors).Should().Be(0);
        TokenCommand.Run(["user1", "--Notifications:TokenKey=short"], output, errors).Should().Be(2);
        TokenCommand.Run([$"--Notifications:TokenKey={Key}"], output, errors).Should().Be(2);
        TokenCommand.Run(["user1", $"--Notifications:TokenKey={Key}", "--hours=0"], output, errors).Should().Be(2);

        var token = new Microsoft.IdentityModel.JsonWebTokens.JsonWebToken(output.ToString().Trim());
        token.Subject.Should().Be("user1");
        token.GetClaim("role").Value.Should().Be("sender");
        errors.ToString().Should().Contain("32 characters").And.Contain("Name a user").And.Contain("hours is a number");
    }

    private static string Token(string userId, bool isSender = false, string key = Key, TimeSpan age = default) => AccessToken.Create(
        key, userId, isSender, TimeSpan.FromHours(1), age == default ? TimeProvider.System : new EarlierClock(age));

    private sealed class EarlierClock(TimeSpan age) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => base.GetUtcNow() - age;
    }

    /// <summary>A server instance on a broker that is not its own.</summary>
    private sealed class TokenServer : IAsyncDisposable
    {
        private readonly EmbeddedBroker _broker = EmbeddedBroker.Start();
        private readonly InMemoryNotifications _memory = new(TimeProvider.System);
        private readonly HttpClient _http = new();
        private RunningSample? _sample;

        public Uri Url => _sample!.UrlOf("consumer");

        public static async Task<TokenServer> StartAsync(params string[] settings)
        {
            var server = new TokenServer();
            try
            {
                foreach (var topic in (string[])["notifications", "notifications-dlt", "notification-events"])
                {
                    server._broker.CreateTopic(topic);
                }

                server._sample = await Sample.StartAsync(
                    ["--urls=http://127.0.0.1:0", "--Kafka:Mode=Kafka", $"--Kafka:Brokers={server._broker.BootstrapServers}", .. settings],
                    NotificationsRoles.Consumer("consumer", 0, server._memory));
                return server;
            }
            catch
            {
                await server.DisposeAsync();
                throw;
            }
        }

        public Task<HttpResponseMessage> GetAsync(string path, string? token) => SendAsync(HttpMethod.Get, path, token, content: null);

        public Task<HttpResponseMessage> PostAsync(string token) =>
            SendAsync(HttpMethod.Post, "/notifications", token, DeliveryTests.JsonContent("""{"userId":"user1","message":"m"}"""));

        public async Task RefusesAsync(string path, string? token, int status, string reason)
        {
            using var response = await GetAsync(path, token);
            ((int)response.StatusCode).Should().Be(status);
            response.Content.Headers.ContentType!.MediaType.Should().Be("application/problem+json");
            (await response.Content.ReadAsStringAsync()).Should().Contain(reason);
        }

        public async Task<HttpStatusCode> SocketAsync(string userId, string? token, string? origin = null)
        {
            using var socket = new ClientWebSocket();
            socket.Options.CollectHttpResponseDetails = true;
            socket.Options.SetRequestHeader("Origin", origin);
            var query = $"userId={userId}" + (token is null ? "" : $"&token={token}");
            try
            {
                await socket.ConnectAsync(new UriBuilder(Url) { Scheme = "ws", Query = query }.Uri, CancellationToken.None);
            }
            catch (WebSocketException)
            {
                // The status says it.
            }

            return socket.HttpStatusCode;
        }

        public async ValueTask DisposeAsync()
        {
            if (_sample is not null)
            {
                await _sample.DisposeAsync();
            }

            _http.Dispose();
            _memory.Dispose();
            _broker.Dispose();
        }

        private async Task<HttpResponseMessage> SendAsync(HttpMethod method, string path, string? token, HttpContent? content)
        {
            using var request = new HttpRequestMessage(method, new Uri(Url, path)) { Content = content };
            request.Headers.Authorization = token is null ? null : new AuthenticationHeaderValue("Bearer", token);
            return await _http.SendAsync(request);
        }
    }
}
