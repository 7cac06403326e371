using FsCheck;
using FsCheck.Fluent;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Narad.Kafka.Configuration;
using Narad.Kafka.Diagnostics;
using Narad.Kafka.Shared;
using Narad.Kafka.Tests.Service;

namespace Narad.Kafka.Tests.Configuration;

/// <summary>
/// Each source that a secret can come from, right or wrong, and everything that the library says afterwards: the two have nothing in common.
/// </summary>
[Trait("Promise", "S30")]
public sealed class SecretsTests
{
    // A port that nobody listens on: what is said of a connection that cannot be is said too.
    private const string Nobody = "127.0.0.1:1";

    private static readonly Lazy<TestCertificate> Own = new(() => TestCertificate.New(rsa: false));

    private static readonly (string Name, Action<KafkaOptions, string> Put)[] Sources =
    [
        ("code: Confluent Cloud", (o, s) => o.UseConfluentCloud("key", s)),
        ("code: OIDC", (o, s) => o.UseConfluentCloudOidc("id", s, "https://login.example/token", "lkc-1")),
        ("code: OIDC endpoint", (o, s) => o.UseConfluentCloudOidc("id", s, $"https://u:{s}@login.example/token?{s}", "lkc-1")),
        ("code: OIDC endpoint, plain", (o, s) => o.UseConfluentCloudOidc("id", "x", $"http://login.example/?{s}", "lkc-1")),
        ("code: MSK SCRAM", (o, s) => o.UseMskScram("user", s)),
        ("code: MSK SCRAM without a user", (o, s) => o.UseMskScram("", s)),
        ("code: Event Hubs", (o, s) => o.UseEventHubs($"Endpoint=sb://ns.servicebus.windows.net/;SharedAccessKeyName=all;SharedAccessKey={s}")),
        ("code: Event Hubs, other order", (o, s) =>
            o.UseEventHubs($"SharedAccessKey={s};SharedAccessKeyName=all;Endpoint=sb://ns.servicebus.windows.net/;EntityPath=orders")),
        ("code: Event Hubs, no name", (o, s) => o.UseEventHubs($"Endpoint=sb://ns.servicebus.windows.net/;SharedAccessKey={s}")),
        ("code: Event Hubs, signature", (o, s) => o.UseEventHubs($"Endpoint=sb://ns.servicebus.windows.net/;SharedAccessSignature={s}")),
        ("code: Event Hubs, quoted", (o, s) => o.UseEventHubs($"\"Endpoint=sb://ns.servicebus.windows.net/;SharedAccessKeyName=all;SharedAccessKey={s}\"")),
        ("code: Event Hubs, endpoint with a user", (o, s) => o.UseEventHubs($"Endpoint=sb://u:{s}@ns.servicebus.windows.net/{s}")),
        ("code: Event Hubs, key only", (o, s) => o.UseEventHubs(s)),
        ("code: Sasl", (o, s) => o.Sasl("user", s)),
        ("code: Sasl, no mechanism", (o, s) => o.Sasl("user", s, "kerberos")),
        ("code: Sasl, tokens", (o, s) => o.Sasl("user", s, "aws_msk_iam")),
        ("code: Local and a password", (o, s) => o.UseLocal().Sasl("user", s)),
        ("code: token", (o, s) =>
            (o.Sasl.Mechanism, o.Ssl.Enabled, o.Sasl.TokenProvider) = (
                "oauthbearer", true, _ => ValueTask.FromResult(new OAuthBearerToken(s, DateTimeOffset.MaxValue, "me")))),
        ("code: key", (o, s) => o.Tls(certificate: Own.Value.Pem, key: $"-----BEGIN PRIVATE KEY-----\n{s}\n-----END PRIVATE KEY-----")),
        ("code: key, one line", (o, s) => o.Tls(certificate: Own.Value.Pem, key: s)),
        ("code: key beside its certificate", (o, s) => o.UseMskTls($"{Own.Value.Pem}-----BEGIN PRIVATE KEY-----\n{s}\n-----END PRIVATE KEY-----")),
        ("code: key without a certificate", (o, s) => (o.Ssl.Enabled, o.Ssl.Key, o.Ssl.KeyPassword) = (true, s, s)),
        ("code: key's password", (o, s) => o.Tls(certificate: Own.Value.Pem, key: Own.Value.EncryptedKeyPem, keyPassword: s)),
        ("code: key's password, not needed", (o, s) => o.Tls(certificate: Own.Value.Pem, key: Own.Value.KeyPem, keyPassword: s)),
        ("code: PFX's password", (o, s) => o.Tls(certificate: Own.Value.Pfx, keyPassword: s)),
        ("code: user in the brokers", (o, s) => o.Brokers = $"user:{s}@kafka:9092,other:9092"),
        ("code: address with a scheme", (o, s) => o.Brokers = $"sasl_ssl://user:{s}@kafka:9092"),
        ("code: connection string as brokers", (o, s) => o.Brokers = $"Endpoint=sb://ns.servicebus.windows.net/;SharedAccessKeyName=all;SharedAccessKey={s}"),
        ("code: address with a scheme and no host", (o, s) => o.Brokers = $"kafka://user:x{s}"),
        ("code: a user where the brokers belong", (o, s) => o.Brokers = $"user:x{s}"),
        ("code: key where the authority belongs", (o, s) => o.Tls(ca: s)),
        ("code: PEM key where the authority belongs", (o, s) => o.Tls(ca: $"-----BEGIN PRIVATE KEY-----\n{s}\n-----END PRIVATE KEY-----")),
        ("code: key where the certificate belongs", (o, s) => o.Tls(certificate: s)),
        ("code: key where a PFX belongs", (o, s) => o.Tls(certificate: $"{s}.pfx", keyPassword: "x")),
        ("code: PEM key where the certificate belongs", (o, s) => o.Tls(certificate: $"-----BEGIN PRIVATE KEY-----\n{s}\n-----END PRIVATE KEY-----")),
        ("code: password where the mechanism belongs", (o, s) => o.Sasl("user", "x", s)),
        ("raw: key where the certificate belongs", (o, s) => (o.Ssl.Enabled, o.ClientProperties["ssl.certificate.pem"]) = (true, s)),
        ("raw: PEM key where the certificate belongs", (o, s) =>
            (o.Ssl.Enabled, o.ClientProperties["ssl.certificate.pem"]) = (true, $"-----BEGIN PRIVATE KEY-----\n{s}\n-----END PRIVATE KEY-----")),
        ("raw: key where a path belongs", (o, s) => (o.Ssl.Enabled, o.ClientProperties["ssl.certificate.location"]) = (true, $"a-word-and-{s}")),
        ("raw: key where a number belongs", (o, s) => o.ClientProperties["batch.size"] = $"a-word-and-{s}"),
        ("raw: key where a word belongs", (o, s) => o.ClientProperties["client.dns.lookup"] = $"a-word-and-{s}"),
        ("raw: OIDC endpoint with a user", (o, s) => RawOidc(o, "x", $"https://u:{s}@127.0.0.1:1/token?key={s}")),
        ("raw: OIDC by its other names", (o, s) =>
            (o.Ssl.Enabled, o.Sasl.Mechanism, o.ClientProperties["sasl.oauthbearer.method"],
                o.ClientProperties["sasl.oauthbearer.client.credentials.client.id"], o.ClientProperties["sasl.oauthbearer.client.credentials.client.secret"],
                o.ClientProperties["sasl.oauthbearer.token.endpoint.url"]) = (true, "oauthbearer", "oidc", "id", s, "http://127.0.0.1:1/token")),
        ("raw: OIDC, complete", (o, s) => RawOidc(o, s, "http://127.0.0.1:1/token")),
        ("configuration: where a word belongs", (o, s) =>
            Configure(o, ("Kafka:Mode", s), ("Kafka:Compression", s), ("Kafka:Ssl:Enabled", s), ("Kafka:Parallelism", s), ("Kafka:SendTimeout", s))),
        ("environment: where a word belongs", (o, s) =>
            Set(o, ("KAFKA_MODE", s), ("KAFKA_SSL", s), ("KAFKA_SASL_MECHANISM", s), ("KAFKA_SSL_CA", s), ("KAFKA_SSL_CERT", s))),
        ("raw: password", (o, s) => o.ClientProperties["sasl.password"] = s),
        ("raw: key", (o, s) => o.ClientProperties["ssl.key.pem"] = s),
        ("raw: key's password", (o, s) => o.ClientProperties["ssl.key.password"] = s),
        ("raw: PFX's password", (o, s) => o.ClientProperties["ssl.keystore.password"] = s),
        ("raw: OIDC", (o, s) => (o.ClientProperties["sasl.oauthbearer.method"], o.ClientProperties["sasl.oauthbearer.client.secret"]) = ("oidc", s)),
        ("raw: tokens' configuration", (o, s) => o.ClientProperties["sasl.oauthbearer.config"] = s),
        ("raw: Java's", (o, s) => o.ClientProperties["sasl.jaas.config"] = $"PlainLoginModule required password=\"{s}\";"),
        ("raw: misspelt", (o, s) => o.ClientProperties["sasl.pasword"] = s),
        ("configuration: password", (o, s) => Configure(o, ("Kafka:Provider", "MskScram"), ("Kafka:Sasl:Username", "user"), ("Kafka:Sasl:Password", s))),
        ("configuration: OIDC", (o, s) => Configure(o, ("Kafka:Sasl:Oidc:ClientId", "id"), ("Kafka:Sasl:Oidc:ClientSecret", s))),
        ("configuration: key", (o, s) =>
            Configure(o, ("Kafka:Ssl:Enabled", "true"), ("Kafka:Ssl:Certificate", Own.Value.File), ("Kafka:Ssl:Key", s), ("Kafka:Ssl:KeyPassword", s))),
        ("configuration: raw", (o, s) => Configure(o, ("Kafka:ClientProperties:sasl.password", s), ("Kafka:ClientProperties:ssl.key.pem", s))),
        ("configuration: raw, nested", (o, s) => Configure(o, ("Kafka:ClientProperties:sasl:password", s))),
        ("configuration: misplaced", (o, s) =>
            Configure(o, ("Kafka:Password", s), ("Kafka:Sasl:Pasword", s), ("Kafka:ApiSecret", s), ("Kafka:Ssl:Key:Pem", s), ("Kafka:Sasl:Oidc:Secret", s))),
        ("configuration: where a section belongs", (o, s) =>
            Configure(o, ("Kafka:Sasl", s), ("Kafka:Ssl", s), ("Kafka:ClientProperties", s), ("Kafka:Sasl:Oidc", s))),
        ("configuration: connection string", (o, s) =>
            Configure(o, ("ConnectionStrings:kafka", $"Endpoint=sb://ns.servicebus.windows.net/;SharedAccessKeyName=all;SharedAccessKey={s}"))),
        ("environment: password", (o, s) => Set(o, ("KAFKA_SASL_USERNAME", "user"), ("KAFKA_SASL_PASSWORD", s))),
        ("environment: password alone", (o, s) => Set(o, ("KAFKA_SASL_PASSWORD", s))),
        ("environment: shell", (o, s) => Set(o, ("KAFKA_BROKERS", "ns.servicebus.windows.net:9093"), ("KAFKA_SASL_USERNAME", ""), ("KAFKA_SASL_PASSWORD", s))),
        ("environment: placeholder", (o, s) => Set(o, ("KAFKA_SASL_USERNAME", "AWS"), ("KAFKA_SASL_PASSWORD", s), ("KAFKA_SASL_MECHANISM", "aws_msk_iam"))),
        ("environment: key", (o, s) => Set(o, ("KAFKA_SSL", "true"), ("KAFKA_SSL_CERT", Own.Value.File), ("KAFKA_SSL_KEY", s), ("KAFKA_SSL_KEY_PASSWORD", s))),
        ("environment: brokers", (o, s) => Set(o, ("KAFKA_BROKERS", $"user:{s}@kafka:9092"))),
    ];

    public static TheoryData<string> SourceNames => [.. Sources.Select(source => source.Name)];

    [Fact]
    [Long]
    public void No_secret_through_any_source_is_in_anything_that_is_logged() =>
        Prop.ForAll<string?, string?, byte>((before, after, choice) =>
        {
            // Whatever surrounds it, this part of it is nowhere else.
            var core = $"Zq{Guid.NewGuid():n}";
            foreach (var (name, put) in Sources)
            {
                var options = new KafkaOptions { Mode = (KafkaMode)(choice % 4), Environment = choice % 8 < 4 ? "Production" : "Development" };
                put(options, $"{before}{core}{after}");
                if (Said(options).FirstOrDefault(text => text.Contains(core, StringComparison.Ordinal)) is { } leak)
                {
                    return false.Label($"{name}: {leak}");
                }
            }

            return true.ToProperty();
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(15));

    [Theory]
    [MemberData(nameof(SourceNames))]
    public async Task No_secret_through_a_source_is_in_what_a_running_service_says(string source)
    {
        const string secret = "Zq7-hunter2-the-secret";
        using var logs = new LogEvents();
        var options = new KafkaOptions { Brokers = Nobody, Environment = "Development" };
        Sources.Single(candidate => candidate.Name == source).Put(options, secret);
        options.Mode = KafkaMode.Kafka;
        options.ConnectTimeout = TimeSpan.FromMilliseconds(300);
        options.ClientProperties["debug"] = "all";
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings { EnvironmentName = "Development" });
        builder.Logging.SetMinimumLevel(LogLevel.Trace).AddProvider(logs);
        builder.Services.AddNaradKafka(given => Copy(options, given));
        using var host = builder.Build();

        var start = await host.Awaiting(running => running.StartAsync()).Should().ThrowAsync<Exception>("nobody listens, or the configuration is refused");

        var said = string.Join('\n', logs.All.Select(line => $"{line.Message} {line.Error}")) + start.Which;
        said.Should().NotContain(secret);
        if (start.Which is not KafkaConfigurationException && !SaslMechanisms.MakesTokens(options.Sasl.Mechanism))
        {
            logs.All.Should().Contain(line => line.Message.Contains("[thrd:", StringComparison.Ordinal), "the client's own lines were caught");
        }
    }

    [Fact]
    public async Task Health_does_not_show_what_looks_like_a_secret_among_the_brokers()
    {
        await using var kafka = new KafkaService(
            new KafkaOptions { Mode = KafkaMode.Console, Environment = "Development", Brokers = "user:Zq7-hunter2,with-a-comma@kafka:9092" });
        await kafka.ConnectProducerAsync();

        var health = await new KafkaHealthCheck(kafka).CheckHealthAsync(new HealthCheckContext());

        health.Data["brokers"].Should().BeOfType<string>().Which.Should().Contain("not shown").And.NotContain("hunter2").And.NotContain("comma");
        new KafkaOptions { Brokers = "a:1, b:2" }.ToString().Should().Contain("a:1, b:2");
    }

    // Everything that is said before anything connects.
    private static IEnumerable<string> Said(KafkaOptions options)
    {
        using var logs = new LogEvents();
        var service = new KafkaService(options, logs);
        string? refused = null;
        try
        {
            service.Init();
        }
        catch (KafkaConfigurationException error)
        {
            refused = error.ToString();
        }

        var report = KafkaOptionsValidator.Check(options);
        return
        [
            options.ToString(),
            $"{options.Sasl} {options.Ssl} {options.Sasl.Oidc} {options.Sasl.TokenProvider?.Invoke(default).Result}",
            refused ?? "",
            string.Join('\n', report.Errors.Concat(report.Warnings)),
            string.Join('\n', logs.All.Select(line => $"{line.Message} {line.Error}")),
            BrokerList.Public(options.Brokers),
        ];
    }

    private static void RawOidc(KafkaOptions options, string secret, string endpoint)
    {
        options.Sasl.Mechanism = "oauthbearer";
        options.Ssl.Enabled = true;
        options.ClientProperties["sasl.oauthbearer.method"] = "oidc";
        options.ClientProperties["sasl.oauthbearer.client.id"] = "id";
        options.ClientProperties["sasl.oauthbearer.client.secret"] = secret;
        options.ClientProperties["sasl.oauthbearer.token.endpoint.url"] = endpoint;
    }

    private static void Copy(KafkaOptions from, KafkaOptions to)
    {
        foreach (var property in typeof(KafkaOptions).GetProperties().Where(property => property is { CanRead: true, CanWrite: true })
            .OrderBy(property => property.Name is not nameof(KafkaOptions.Provider)))
        {
            property.SetValue(to, property.GetValue(from));
        }

        foreach (var (name, value) in from.ClientProperties)
        {
            to.ClientProperties[name] = value;
        }

        to.BindingErrors.AddRange(from.BindingErrors);
    }

    private static void Configure(KafkaOptions options, params (string Key, string Value)[] settings) => KafkaConfigurationSection.Apply(
        options, new ConfigurationBuilder().AddInMemoryCollection(settings.ToDictionary(setting => setting.Key, setting => (string?)setting.Value)).Build());

    private static void Set(KafkaOptions options, params (string Name, string Value)[] variables) =>
        KafkaEnvironment.Apply(options, variables.ToDictionary(variable => variable.Name, variable => variable.Value));
}
