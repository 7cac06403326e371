using System.Net;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Confluent.Kafka;
using FsCheck;
using FsCheck.Fluent;
using Narad.Kafka.Configuration;
using Narad.Kafka.Tests.Service;
using Narad.Kafka.Transports;

namespace Narad.Kafka.Tests.Configuration;

/// <summary>What clients, brokers and identity providers write is shown without the secrets that they were given, in whichever form these come back.</summary>
[Trait("Promise", "S30")]
public sealed class SecretHidingTests
{
    private const string Secret = "Zq7/hunter2+&\"<ü>=%";
    private const string Core = "hunter2";

    public static TheoryData<string, Func<string, string>> Forms => new()
    {
        { "plain", s => s },
        { "URL", Uri.EscapeDataString },
        { "URL, lower case", s =>
            Regex.Replace(Uri.EscapeDataString(s), "%[0-9A-F]{2}", static match =>
                match.Value.ToLowerInvariant(), RegexOptions.None, TimeSpan.FromSeconds(1)) },
        { "form", s => WebUtility.UrlEncode(s) },
        { "JSON", s => JsonSerializer.Serialize(s) },
        { "base64", s => Base64(s) },
        { "base64 for the web", s => Base64(s).Replace('+', '-').Replace('/', '_').TrimEnd('=') },
        { "Basic", s => Base64($"my-client:{s}") },
        { "Basic, encoded", s => Base64($"client:{Uri.EscapeDataString(s)}") },
        { "PLAIN", s => Base64($"\0narad\0{s}") },
        { "in JSON in base64", s => Base64($$"""{"secret":"{{s}}"}""") },
    };

    [Theory]
    [MemberData(nameof(Forms))]
    public void A_secret_is_hidden_in_each_form_that_it_may_come_back_in(string form, Func<string, string> write)
    {
        var config = new ClientConfig();
        config.Set("sasl.oauthbearer.client.secret", Secret);
        var written = write(Secret);
        var hidden = SecretHiding.Of(config).Hide($"The provider says: {written} (after 3ms)");

        hidden.Should().StartWith("The provider says: ").And.Contain("…").And.EndWith("(after 3ms)");
        hidden.Should().NotContain(Core, "as {0}", form).And.NotContain(Decoded(written), "as {0}", form);
    }

    [Fact]
    public void Users_and_queries_of_token_endpoints_are_hidden()
    {
        const string url = "https://user:Zq7p@ss@login.example.com/token?api_key=Zq7-in-the-query&v=1";
        var config = new ClientConfig();
        config.Set("sasl.oauthbearer.token.endpoint.url", url);

        var hidden = SecretHiding.Of(config).Hide($"Failed to retrieve OIDC token from \"{url}\": HTTP 401, api_key Zq7-in-the-query is unknown");

        hidden.Should().Contain("login.example.com/token").And.Contain("HTTP 401").And.NotContain("Zq7");
        SecretHiding.None.Hide("connecting to amqp://user:Zq7@host/x").Should().Be("connecting to amqp://…@host/x");
        SecretHiding.None.Hide("token eyJhbGciOiJub25lIn0.eyJzdWIiOiJuYXJhZCJ9.c2lnbmF0dXJl refused").Should().Be("token … refused");
    }

    [Fact]
    public void Whatever_the_secret_is_its_text_is_hidden_and_nothing_throws() =>
        Prop.ForAll<NonEmptyString, NonEmptyString>((before, after) =>
        {
            var core = $"Zq{Guid.NewGuid():n}";
            var hiding = SecretHiding.Of($"{before.Get}{core}{after.Get}");
            return !hiding.Hide($"x {before.Get}{core}{after.Get} {Convert.ToBase64String(Encoding.UTF8.GetBytes($"id:{before.Get}{core}{after.Get}"))}")
                .Contains(core, StringComparison.Ordinal);
        }).Check(FsCheck.Config.QuickThrowOnFailure);

    [Fact]
    public async Task Client_log_lines_and_errors_are_shown_without_secrets()
    {
        var config = new ClientConfig { SaslPassword = Secret };
        using var logs = new LogEvents();
        var log = new ClientLog(logs.CreateLogger("test"), SecretHiding.Of(config), TimeProvider.System);

        log.Write(new LogMessage("client", SyslogLevel.Warning, "FAIL", $"[thrd:x]: {Secret} {Base64($"\0narad\0{Secret}")}"));
        await Waiting.Until(() => logs.Count(4004) == 1, "the line logged");

        logs.The(4004).Message.Should().Contain("[thrd:x]: … ").And.NotContain(Core);
        SecretHiding.Of(config).Hide(new Error(ErrorCode.Local_Authentication, $"no {Secret}")).Should()
            .BeEquivalentTo(new { Code = ErrorCode.Local_Authentication, Reason = "no …" });
    }

    [Fact]
    public void Options_and_tokens_as_JSON_have_no_secret()
    {
        var options = new KafkaOptions { Brokers = $"kafka://user:{Secret}@host:9092" };
        options.Sasl.Password = Secret;
        options.Sasl.Oidc = new() { ClientId = "id", ClientSecret = Secret, TokenEndpoint = $"https://u:{Core}@login.example.com/?{Core}" };
        (options.Ssl.Ca, options.Ssl.Certificate, options.Ssl.Key, options.Ssl.KeyPassword) = (Core, Core, Core, Core);
        options.Sasl.TokenProvider = _ => ValueTask.FromResult(new OAuthBearerToken(Secret, DateTimeOffset.MaxValue, "me"));
        options.ClientProperties["sasl.oauthbearer.client.secret"] = Secret;

        JsonSerializer.Serialize(options).Should().Contain("\"ClientId\":\"narad\"").And.Contain("Mechanism").And.NotContain(Core);
        JsonSerializer.Serialize(new OAuthBearerToken(Secret, DateTimeOffset.MaxValue, "me")).Should().Contain("me").And.NotContain(Core);
        JsonSerializer.Serialize(new KafkaOptions { Brokers = "a:1, b:2" }).Should().Contain("a:1,b:2");
        $"{options} {options.Sasl} {options.Ssl} {options.Sasl.Oidc} {new OAuthBearerToken(Secret, DateTimeOffset.MaxValue, "me")}".Should().NotContain(Core);
    }

    private static string Base64(string text) => Convert.ToBase64String(Encoding.UTF8.GetBytes(text));

    // The longest run of what it says that is a part of the secret alone.
    private static string Decoded(string written) => written.Length > 12 ? written[(written.Length / 2)..(written.Length / 2 + 6)] : written;
}
