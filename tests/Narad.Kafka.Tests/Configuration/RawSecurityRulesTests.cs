using Narad.Kafka.Configuration;

namespace Narad.Kafka.Tests.Configuration;

/// <summary>
/// What would give a password, a token or a client secret away, by a setting of ours or by a raw property: refused in every environment but Development, unless
/// it is allowed by name.
/// </summary>
[Trait("Promise", "S31")]
public sealed class RawSecurityRulesTests
{
    private const string Elsewhere = "kafka.example.com:9092";

    public static TheoryData<string, Action<KafkaOptions>, string, Action<KafkaOptions>> Refused => new()
    {
        { "plain without TLS", o => o.Sasl("u", "p", "plain"), "Kafka:Ssl:Enabled (KAFKA_SSL_ENABLED) = false", o => o.Sasl.AllowPlainWithoutTls = true },
        { "certificates unchecked", o => (o.Ssl.Enabled, o.Ssl.RejectUnauthorized) = (true, false), "Kafka:Ssl:RejectUnauthorized", o =>
            o.Ssl.AllowUnverifiedInProduction = true },
        { "names unchecked", o =>
            (o.Ssl.Enabled, o.ClientProperties["ssl.endpoint.identification.algorithm"]) = (true, "none"),
            "Kafka:ClientProperties:ssl.endpoint.identification.algorithm", o => o.Ssl.AllowUnverifiedInProduction = true },
        { "ciphers without encryption", o =>
            (o.Ssl.Enabled, o.ClientProperties["ssl.cipher.suites"]) = (true, "ECDHE-RSA-AES256-GCM-SHA384:eNULL"), "Kafka:ClientProperties:ssl.cipher.suites",
            o => o.Ssl.AllowUnverifiedInProduction = true },
        { "ciphers without certificates", o =>
            (o.Ssl.Enabled, o.ClientProperties["ssl.cipher.suites"]) = (true, "ECDHE-RSA-AES256-GCM-SHA384:ADH-AES256-SHA:@SECLEVEL=0"),
            "Kafka:ClientProperties:ssl.cipher.suites", o => o.Ssl.AllowUnverifiedInProduction = true },
    };

    public static TheoryData<string, string, bool> Endpoints => new()
    {
        { "https://login.example.com/token", "", true },
        { "http://127.0.0.1:8080/token", "", true },
        { "http://login.example.com/token", "", false },
        { "HTTP://login.example.com/token", "", false },
        { "login.example.com/token", "", false },
        { "http://169.254.169.254/metadata/identity/oauth2/token", "azure_imds", true },
        { "http://169.254.169.254/metadata/identity/oauth2/token", "", false },
        { "http://login.example.com/token", "azure_imds", false },
    };

    [Theory]
    [MemberData(nameof(Refused))]
    public void What_gives_a_secret_away_is_refused_in_every_environment_but_Development(
        string what, Action<KafkaOptions> set, string setting, Action<KafkaOptions> allow)
    {
        foreach (var environment in (string[])["Production", "Prod", "Staging", "Test", "DevelopmentEurope"])
        {
            KafkaOptionsValidator.Check(New(), environment).Errors.Should().ContainSingle("{0} in {1}", what, environment).Which.Should().Contain(setting)
                .And.Contain(" = true");
        }

        var development = KafkaOptionsValidator.Check(New(), "development");
        development.Errors.Should().BeEmpty();
        development.Warnings.Should().ContainSingle("it is still said");
        var allowed = New();
        allow(allowed);
        KafkaOptionsValidator.Check(allowed, "Production").Errors.Should().BeEmpty("it was allowed by name");

        KafkaOptions New()
        {
            var options = new KafkaOptions { Brokers = Elsewhere };
            set(options);
            return options;
        }
    }

    [Theory]
    [InlineData("localhost:9092", true)]
    [InlineData("127.0.0.1:9092,[::1]:9092", true)]
    [InlineData("localhost:9092,kafka.example.com:9092", false)]
    [InlineData("localhost.example.com:9092", false)]
    [InlineData("10.0.0.1:9092", false)]
    public void A_password_in_plain_text_stays_on_this_machine(string brokers, bool allowed)
    {
        var options = new KafkaOptions { Brokers = brokers }.Sasl("u", "p", "plain");

        (KafkaOptionsValidator.Check(options, "Production").Errors.Count == 0).Should().Be(allowed);
    }

    [Fact]
    public void The_rules_of_TLS_are_not_asked_of_settings_without_TLS_and_strong_ciphers_pass()
    {
        KafkaOptionsValidator.Check(new KafkaOptions { Brokers = Elsewhere, ClientProperties = { ["ssl.endpoint.identification.algorithm"] = "none" } },
            "Production").Errors.Should().BeEmpty();
        KafkaOptionsValidator.Check(
            new KafkaOptions { Brokers = Elsewhere, Ssl = { Enabled = true }, ClientProperties = { ["ssl.cipher.suites"] = "HIGH:!aNULL:!eNULL:-ADH" } },
            "Production").Errors.Should().BeEmpty();
    }

    [Theory]
    [MemberData(nameof(Endpoints))]
    public void A_raw_token_endpoint_follows_the_rules_of_Sasl_Oidc_and_is_never_shown(string endpoint, string metadata, bool allowed)
    {
        var options = new KafkaOptions { Brokers = Elsewhere, Ssl = { Enabled = true }, Sasl = { Mechanism = "oauthbearer" } };
        options.ClientProperties["sasl.oauthbearer.method"] = "oidc";
        options.ClientProperties["sasl.oauthbearer.client.id"] = "id";
        options.ClientProperties["sasl.oauthbearer.client.secret"] = "hunter2-the-secret";
        options.ClientProperties["sasl.oauthbearer.token.endpoint.url"] = endpoint;
        if (metadata.Length > 0)
        {
            options.ClientProperties["sasl.oauthbearer.metadata.authentication.type"] = metadata;
        }

        foreach (var environment in (string[])["Production", "Development"])
        {
            var errors = KafkaOptionsValidator.Check(options, environment).Errors.Where(error => error.Contains("token.endpoint.url", StringComparison.Ordinal))
                .ToList();
            errors.Should().HaveCount(allowed ? 0 : 1);
            string.Concat(errors).Should().NotContain("login.example.com/token").And.NotContain("hunter2");
        }
    }

    [Fact]
    public void Raw_tokens_that_the_mechanism_does_not_take_are_refused()
    {
        var options = new KafkaOptions
        {
            ClientProperties = { ["sasl.oauthbearer.method"] = "oidc", ["sasl.oauthbearer.token.endpoint.url"] = "https://login.example.com/token" },
        }.Sasl("u", "p", "scram-sha-512");

        KafkaOptionsValidator.Check(options, "Production").Errors.Should()
            .Contain(error => error.Contains("Kafka:ClientProperties:sasl.oauthbearer.method") && error.Contains("only oauthbearer takes"));
    }
}
