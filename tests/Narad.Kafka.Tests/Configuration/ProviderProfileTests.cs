using Confluent.Kafka;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Narad.Kafka.Configuration;
using Narad.Kafka.Transactions;

namespace Narad.Kafka.Tests.Configuration;

/// <summary>What a provider's name comes to: in the options, whichever source it came from, and in every client that is built from them.</summary>
public sealed class ProviderProfileTests
{
    private const string Connection = "Endpoint=sb://shop.servicebus.windows.net/;SharedAccessKeyName=all;SharedAccessKey=c2VjcmV0PT0=";

    // Made by nobody: what is looked at here is where it goes.
    private const string Pem = "-----BEGIN CERTIFICATE-----\nMII=\n-----END CERTIFICATE-----\n";
    private const string KeyPem = "-----BEGIN PRIVATE KEY-----\nMIG=\n-----END PRIVATE KEY-----\n";

    public static TheoryData<string, Action<KafkaOptions>, string[]> Profiles => new()
    {
        { "Local", o => o.UseLocal("broker:9092"), ["bootstrap.servers=broker:9092", "security.protocol=plaintext"] },
        {
            "Confluent Cloud", o => o.UseConfluentCloud("key", "secret").Brokers = "pkc-1.confluent.cloud:9092",
            ["bootstrap.servers=pkc-1.confluent.cloud:9092", "security.protocol=sasl_ssl", "sasl.mechanism=PLAIN", "sasl.username=key", "sasl.password=secret"]
        },
        {
            "Confluent Cloud with OIDC", o =>
                o.UseConfluentCloudOidc("id", "secret", "https://login.example/token", "lkc-1", "pool-1", "kafka").Brokers = "pkc-1.confluent.cloud:9092",
            ["bootstrap.servers=pkc-1.confluent.cloud:9092", "security.protocol=sasl_ssl", "sasl.mechanism=OAUTHBEARER"]
        },
        {
            "MSK with IAM", o => (o.Brokers, o.Provider) = ("b-1.kafka.eu-central-1.amazonaws.com:9098", KafkaProvider.MskIam),
            ["bootstrap.servers=b-1.kafka.eu-central-1.amazonaws.com:9098", "security.protocol=sasl_ssl", "sasl.mechanism=OAUTHBEARER"]
        },
        {
            "MSK with SCRAM", o => o.UseMskScram("user", "secret").Brokers = "b-1.kafka.eu-central-1.amazonaws.com:9096",
            ["bootstrap.servers=b-1.kafka.eu-central-1.amazonaws.com:9096", "security.protocol=sasl_ssl", "sasl.mechanism=SCRAM-SHA-512", "sasl.username=user",
                "sasl.password=secret"]
        },
        {
            "MSK with TLS", o => o.UseMskTls("/etc/client.pem", "/etc/client.key", "secret").Brokers = "b-1.kafka.eu-central-1.amazonaws.com:9094",
            [
                "bootstrap.servers=b-1.kafka.eu-central-1.amazonaws.com:9094", "security.protocol=ssl", "ssl.certificate.location=/etc/client.pem",
                    "ssl.key.location=/etc/client.key",
                "ssl.key.password=secret",
            ]
        },
        {
            "MSK without a login", o => o.UseMskOpen().Brokers = "b-1.kafka.eu-central-1.amazonaws.com:9092",
            ["bootstrap.servers=b-1.kafka.eu-central-1.amazonaws.com:9092", "security.protocol=plaintext"]
        },
        {
            "MSK without a login, encrypted", o => o.UseMskOpen(tls: true).Brokers = "b-1.kafka.eu-central-1.amazonaws.com:9094",
            ["bootstrap.servers=b-1.kafka.eu-central-1.amazonaws.com:9094", "security.protocol=ssl"]
        },
        {
            "Event Hubs", o => o.UseEventHubs(Connection),
            [
                "bootstrap.servers=shop.servicebus.windows.net:9093", "security.protocol=sasl_ssl", "sasl.mechanism=PLAIN", "sasl.username=$ConnectionString",
                    $"sasl.password={Connection}",
                "metadata.max.age.ms=180000", "connections.max.idle.ms=180000",
            ]
        },
        {
            "another one's PFX", o =>
                (o.Tls(ca: Pem, certificate: "/etc/client.p12", keyPassword: "secret").Sasl("user", "pass", "scram-sha-256")).Brokers = "kafka:9093",
            [
                "bootstrap.servers=kafka:9093", "security.protocol=sasl_ssl", "sasl.mechanism=SCRAM-SHA-256", "sasl.username=user", "sasl.password=pass",
                    $"ssl.ca.pem={Pem}",
                "ssl.keystore.location=/etc/client.p12", "ssl.keystore.password=secret",
            ]
        },
        {
            "one PEM text with certificate and key", o => o.Tls(certificate: $"{Pem}{KeyPem}").Brokers = "kafka:9093",
            ["bootstrap.servers=kafka:9093", "security.protocol=ssl", $"ssl.certificate.pem={Pem}", $"ssl.key.pem={Pem}{KeyPem}"]
        },
        {
            "one PEM file with certificate and key", o => o.Tls(ca: "/etc/ca.pem", certificate: "/etc/both.pem").Brokers = "kafka:9093",
            ["bootstrap.servers=kafka:9093", "security.protocol=ssl", "ssl.ca.location=/etc/ca.pem", "ssl.certificate.location=/etc/both.pem",
                "ssl.key.location=/etc/both.pem"]
        },
    };

    [Theory]
    [MemberData(nameof(Profiles))]
    [Trait("Promise", "S28")]
    public void A_profile_reaches_every_kind_of_client_alike(string name, Action<KafkaOptions> use, string[] properties)
    {
        var options = new KafkaOptions();
        use(options);
        var settings = new ClientSettings(options, options.Brokers, embedded: false);

        foreach (var client in new ClientConfig[] { settings.Producer(), settings.Consumer("group"), settings.Reader("group"), settings.Admin() })
        {
            // A producer names the client's own default for the age of its metadata, where the profile names none.
            Security(client).Where(static property => property != $"metadata.max.age.ms={ClientSettings.ProducerMetadataAgeMs}").Should()
                .BeEquivalentTo(properties, "of {0} in {1}", name, client.GetType().Name);
        }
    }

    [Theory]
    [MemberData(nameof(Profiles))]
    [Trait("Promise", "S28")]
    public void The_builder_says_the_same_as_the_options(string name, Action<KafkaOptions> use, string[] properties)
    {
        var services = new ServiceCollection();
        var builder = services.AddNaradKafka();
        switch (name)
        {
            case "Local":
                builder.UseLocal("broker:9092");
                break;
            case "Confluent Cloud":
                builder.UseConfluentCloud("key", "secret").Configure(o => o.Brokers = "pkc-1.confluent.cloud:9092");
                break;
            case "Confluent Cloud with OIDC":
                builder.UseConfluentCloudOidc("id", "secret", "https://login.example/token", "lkc-1", "pool-1", "kafka")
                    .Configure(o => o.Brokers = "pkc-1.confluent.cloud:9092");
                break;
            case "MSK with SCRAM":
                builder.UseMskScram("user", "secret").Configure(o => o.Brokers = "b-1.kafka.eu-central-1.amazonaws.com:9096");
                break;
            case "MSK with TLS":
                builder.UseMskTls("/etc/client.pem", "/etc/client.key", "secret").Configure(o => o.Brokers = "b-1.kafka.eu-central-1.amazonaws.com:9094");
                break;
            case "MSK without a login":
                builder.UseMskOpen().Configure(o => o.Brokers = "b-1.kafka.eu-central-1.amazonaws.com:9092");
                break;
            case "MSK without a login, encrypted":
                builder.UseMskOpen(tls: true).Configure(o => o.Brokers = "b-1.kafka.eu-central-1.amazonaws.com:9094");
                break;
            case "Event Hubs":
                builder.UseEventHubs(Connection);
                break;
            case "another one's PFX":
                builder.Tls(ca: Pem, certificate: "/etc/client.p12", keyPassword: "secret").Sasl("user", "pass", "scram-sha-256")
                    .Configure(o => o.Brokers = "kafka:9093");
                break;
            default:
                builder.Configure(use);
                break;
        }

        var options = new KafkaOptions();
        using var provider = services.BuildServiceProvider();
        foreach (var configure in provider.GetServices<IConfigureOptions<KafkaOptions>>())
        {
            configure.Configure(options);
        }

        Security(new ClientSettings(options, options.Brokers, embedded: false).Admin()).Should().BeEquivalentTo(properties);
    }

    [Fact]
    public void Oidc_keeps_what_the_tokens_source_needs() =>
        new KafkaOptions().UseConfluentCloudOidc("id", "secret", "https://login.example/token", "lkc-1", "pool-1", "kafka").Sasl.Oidc.Should().BeEquivalentTo(
            new OidcOptions { ClientId = "id", ClientSecret = "secret", TokenEndpoint = "https://login.example/token", Scope = "kafka",
                LogicalCluster = "lkc-1", IdentityPoolId = "pool-1" });

    [Fact]
    [Trait("Promise", "S28")]
    public void Event_hubs_has_its_requests_time_in_producers_and_its_size_in_what_is_sent()
    {
        foreach (var options in new[] { new KafkaOptions().UseEventHubs(Connection), new KafkaOptions { Brokers = "shop.servicebus.windows.net:9093" } })
        {
            var settings = new ClientSettings(options, options.Brokers, embedded: false);

            settings.Producer().Should().Contain(new KeyValuePair<string, string>("request.timeout.ms", "60000"));
            settings.Producer().Should().Contain(new KeyValuePair<string, string>("socket.keepalive.enable", "true"));
            settings.Consumer("group").Select(property => property.Key).Should().NotContain("request.timeout.ms");
            options.MaxMessageBytes.Should().Be(999_999);
            settings.Producer().BatchSize.Should().BeLessThan(1_000_000);
        }

        new KafkaOptions().MaxMessageBytes.Should().Be(1_000_000);
        var raw = new KafkaOptions { ClientProperties = { ["metadata.max.age.ms"] = "60000" } }.UseEventHubs(Connection);
        new ClientSettings(raw, raw.Brokers, embedded: false).Producer().MetadataMaxAgeMs.Should().Be(60_000, "raw properties come last");
    }

    [Fact]
    [Trait("Promise", "S28")]
    public void Event_hubs_takes_no_part_in_transactions_however_it_is_named()
    {
        foreach (var options in new[]
        {
            new KafkaOptions { Brokers = "proxy:9093" }.UseEventHubs(Connection), new KafkaOptions { Brokers = "shop.servicebus.windows.net:9093" },
        })
        {
            ExactlyOnceRules.Check(new SubscriptionOptions { ExactlyOnce = { Enabled = true } }, "orders", KafkaMode.Kafka, options)
                .Should().ContainSingle().Which.Should().Match("*'orders'*ExactlyOnce.Enabled*Event Hubs*");
        }
    }

    [Fact]
    public void What_is_derived_from_the_brokers_follows_them()
    {
        var options = new KafkaOptions { Brokers = "a:1" };
        options.IsEventHubs.Should().BeFalse();
        options.Brokers = "shop.servicebus.windows.net:9093";
        options.IsEventHubs.Should().BeTrue();
        options.Provider = KafkaProvider.MskOpen;
        options.IsEventHubs.Should().BeFalse("the name decides");
    }

    [Theory]
    [InlineData(null, "shop.servicebus.windows.net:9093")]
    [InlineData("private.example:9093", "private.example:9093")]
    public void Event_hubs_brokers_are_those_of_its_endpoint_unless_others_are_named(string? named, string expected)
    {
        var options = named is null ? new KafkaOptions() : new KafkaOptions { Brokers = named };

        options.UseEventHubs(Connection).Brokers.Should().Be(expected);
        FromVariables(("KAFKA_SASL_USERNAME", "$ConnectionString"), ("KAFKA_SASL_PASSWORD", Connection)).Brokers.Should()
            .Be("shop.servicebus.windows.net:9093");
    }

    [Fact]
    [Trait("Promise", "S28")]
    public void Code_beats_configuration_beats_environment()
    {
        (string, string)[] environment =
        [
            ("KAFKA_BROKERS", "pkc-1.confluent.cloud:9092"), ("KAFKA_SASL_USERNAME", "from environment"), ("KAFKA_SASL_PASSWORD", "environment"),
            ("KAFKA_SASL_MECHANISM", "scram-sha-256"), ("KAFKA_SSL_ENABLED", "false"),
        ];

        var named = FromVariables(environment);
        KafkaConfigurationSection.Apply(named, Configuration(("Kafka:Provider", "confluentcloud")));
        Security(named).Should().BeEquivalentTo(
            "bootstrap.servers=pkc-1.confluent.cloud:9092", "security.protocol=sasl_ssl", "sasl.mechanism=PLAIN", "sasl.username=from environment",
                "sasl.password=environment");

        var besides = FromVariables(environment);
        KafkaConfigurationSection.Apply(besides,
            Configuration(
                ("Kafka:Brokers", "kafka:9096"), ("Kafka:Provider", "MskScram"), ("Kafka:Sasl:Username", "user"), ("Kafka:ClientProperties:client.rack", "r")));
        besides.Sasl.Password.Should().Be("environment");
        besides.Sasl.Username.Should().Be("user");
        besides.Sasl.Mechanism.Should().Be("scram-sha-512");

        besides.UseConfluentCloud("code", "secret");
        Security(besides).Should()
            .BeEquivalentTo("bootstrap.servers=kafka:9096", "security.protocol=sasl_ssl", "sasl.mechanism=PLAIN", "sasl.username=code", "sasl.password=secret");

        besides.UseLocal();
        Security(besides).Should().BeEquivalentTo("bootstrap.servers=kafka:9096", "security.protocol=plaintext");
    }

    [Theory]
    [InlineData("Local", "plaintext")]
    [InlineData("MskTls", "ssl")]
    [InlineData("MskOpen", "ssl")]
    [Trait("Promise", "S28")]
    public void A_provider_without_a_login_drops_the_one_that_was_left_behind(string provider, string protocol)
    {
        var options = FromVariables(
            ("KAFKA_SASL_USERNAME", "user"), ("KAFKA_SASL_PASSWORD", "password"), ("KAFKA_SSL_ENABLED", "true"), ("KAFKA_SSL_CA", "/etc/ca.pem"));
        KafkaConfigurationSection.Apply(options, Configuration(("Kafka:Provider", provider)));

        string[] trust = provider == "Local" ? [] : ["ssl.ca.location=/etc/ca.pem"];
        Security(options).Should().BeEquivalentTo([.. trust, "bootstrap.servers=localhost:9092", $"security.protocol={protocol}"]);
        options.Ssl.Ca.Should().Be(provider == "Local" ? null : "/etc/ca.pem");
    }

    [Fact]
    public void A_certificate_from_code_takes_no_key_of_another_one()
    {
        var options = FromVariables(("KAFKA_SSL_CERT", "/etc/other.pem"), ("KAFKA_SSL_KEY", "/etc/other.key"), ("KAFKA_SSL_KEY_PASSWORD", "other"));

        options.Tls(certificate: "/etc/both.pem").Ssl.Should().BeEquivalentTo(new SslOptions { Enabled = true, Certificate = "/etc/both.pem" });
        FromVariables(("KAFKA_SSL_CERT", "/etc/other.pem")).Tls(ca: "/etc/ca.pem").Ssl.Certificate.Should().Be("/etc/other.pem", "what is not said stays");
    }

    [Fact]
    public void What_stands_beside_a_providers_name_changes_it_wherever_it_stands()
    {
        var options = new KafkaOptions();
        KafkaConfigurationSection.Apply(options, Configuration(
            ("Kafka:Brokers", "b-1.kafka.eu-central-1.amazonaws.com:9094"), ("Kafka:Provider", "MskOpen"), ("Kafka:Ssl:Enabled", "true"),
                ("Kafka:Sasl:Oidc:ClientId", "id")));

        options.Ssl.Enabled.Should().BeTrue();
        options.Sasl.Oidc!.ClientId.Should().Be("id");
        options.Sasl.Mechanism.Should().Be("oauthbearer", "who names an identity provider wants its tokens");
        KafkaOptionsValidator.Check(options, "Production").Errors.Should().Contain(error => error.Contains("MskOpen has no login"));
    }

    [Fact]
    public void A_section_binds_providers_certificates_and_identity_providers()
    {
        var options = new KafkaOptions();
        KafkaConfigurationSection.Apply(options, Configuration(
            ("Kafka:Provider", "ConfluentCloud"), ("Kafka:Ssl:Certificate", "c"), ("Kafka:Ssl:Key", "k"), ("Kafka:Ssl:KeyPassword", "p"),
                ("Kafka:Sasl:Oidc:ClientId", "id"),
            ("Kafka:Sasl:Oidc:ClientSecret", "s"), ("Kafka:Sasl:Oidc:TokenEndpoint", "https://t"), ("Kafka:Sasl:Oidc:Scope", "x"),
                ("Kafka:Sasl:Oidc:LogicalCluster", "lkc"),
            ("Kafka:Sasl:Oidc:IdentityPoolId", "pool")));

        options.BindingErrors.Should().BeEmpty();
        options.Provider.Should().Be(KafkaProvider.ConfluentCloud);
        options.Ssl.Should().BeEquivalentTo(new SslOptions { Enabled = true, Certificate = "c", Key = "k", KeyPassword = "p" });
        options.Sasl.Oidc.Should()
            .BeEquivalentTo(
                new OidcOptions
                {
                    ClientId = "id", ClientSecret = "s", TokenEndpoint = "https://t", Scope = "x", LogicalCluster = "lkc", IdentityPoolId = "pool",
                });
    }

    [Fact]
    [Trait("Promise", "S28")]
    public void A_placeholder_user_and_password_beside_tokens_are_neither_an_error_nor_sent()
    {
        var options = FromVariables(
            ("KAFKA_BROKERS", "b-1.shop.kafka.us-east-1.amazonaws.com:9098"), ("KAFKA_SASL_USERNAME", "AWS"), ("KAFKA_SASL_PASSWORD", "your_aws_credentials"),
            ("KAFKA_SASL_MECHANISM", "aws_msk_iam"), ("KAFKA_SSL_ENABLED", "true"));
        options.Sasl.TokenProvider = _ => throw new NotSupportedException();

        KafkaOptionsValidator.Check(options, "Production").Should().BeEquivalentTo(new ConfigurationReport([], []));
        Security(options).Should().BeEquivalentTo(
            "bootstrap.servers=b-1.shop.kafka.us-east-1.amazonaws.com:9098", "security.protocol=sasl_ssl", "sasl.mechanism=OAUTHBEARER");
    }

    // As chat.md and kafka-service.md, which moved here from elsewhere, have them.
    public static TheoryData<string, (string, string)[], string[], string[]> Blocks => new()
    {
        { "local", [("KAFKA_BROKERS", "localhost:9092")], ["bootstrap.servers=localhost:9092", "security.protocol=plaintext"], [] },
        {
            "the service's",
            [
                ("KAFKA_CLIENT_ID", "narad"), ("KAFKA_BROKERS", "localhost:9092,localhost:9093"), ("KAFKA_SSL", "false"), ("KAFKA_SASL_MECHANISM", "plain"),
                ("KAFKA_SASL_USERNAME", "your_username"), ("KAFKA_SASL_PASSWORD", "your_password"),
            ],
            ["bootstrap.servers=localhost:9092,localhost:9093", "security.protocol=sasl_plaintext", "sasl.mechanism=PLAIN", "sasl.username=your_username",
                "sasl.password=your_password"],
            []
        },
        {
            "Confluent Cloud",
            [
                ("KAFKA_BROKERS", "pkc-xxxxx.us-east-1.aws.confluent.cloud:9092"), ("KAFKA_SASL_USERNAME", "your_api_key"),
                    ("KAFKA_SASL_PASSWORD", "your_api_secret"),
                ("KAFKA_SASL_MECHANISM", "plain"), ("KAFKA_SSL_ENABLED", "true"), ("KAFKA_SSL_REJECT_UNAUTHORIZED", "false"),
            ],
            [
                "bootstrap.servers=pkc-xxxxx.us-east-1.aws.confluent.cloud:9092", "security.protocol=sasl_ssl", "sasl.mechanism=PLAIN",
                    "sasl.username=your_api_key",
                "sasl.password=your_api_secret", "enable.ssl.certificate.verification=False",
            ],
            ["in Production anybody could pose as the broker"]
        },
        {
            "MSK",
            [
                ("KAFKA_BROKERS", "b-1.xxxxx.kafka.us-east-1.amazonaws.com:9092,b-2.xxxxx.kafka.us-east-1.amazonaws.com:9092"), ("KAFKA_SASL_USERNAME", "AWS"),
                ("KAFKA_SASL_PASSWORD", "your_aws_credentials"), ("KAFKA_SASL_MECHANISM", "aws_msk_iam"), ("KAFKA_SSL_ENABLED", "true"),
            ],
            ["bootstrap.servers=b-1.xxxxx.kafka.us-east-1.amazonaws.com:9092,b-2.xxxxx.kafka.us-east-1.amazonaws.com:9092", "security.protocol=sasl_ssl",
                "sasl.mechanism=OAUTHBEARER"],
            ["b-1.xxxxx.kafka.us-east-1.amazonaws.com:9092: for aws_msk_iam on MSK use 9098",
                "b-2.xxxxx.kafka.us-east-1.amazonaws.com:9092: for aws_msk_iam on MSK use 9098", "add the package Narad.Kafka.Aws and .UseMskIam()"]
        },
        {
            "Event Hubs",
            [
                ("KAFKA_BROKERS", "your-namespace.servicebus.windows.net:9093"), ("KAFKA_SASL_USERNAME", "$ConnectionString"),
                ("KAFKA_SASL_PASSWORD",
                    "Endpoint=sb://your-namespace.servicebus.windows.net/;SharedAccessKeyName=RootManageSharedAccessKey;SharedAccessKey=your-key"),
                ("KAFKA_SASL_MECHANISM", "plain"), ("KAFKA_SSL_ENABLED", "true"),
            ],
            [
                "bootstrap.servers=your-namespace.servicebus.windows.net:9093", "security.protocol=sasl_ssl", "sasl.mechanism=PLAIN",
                    "sasl.username=$ConnectionString",
                "sasl.password=Endpoint=sb://your-namespace.servicebus.windows.net/;SharedAccessKeyName=RootManageSharedAccessKey;SharedAccessKey=your-key",
                "metadata.max.age.ms=180000", "connections.max.idle.ms=180000",
            ],
            []
        },
    };

    [Theory]
    [MemberData(nameof(Blocks))]
    [Trait("Promise", "S28")]
    public void The_chats_and_the_services_environment_blocks_bind_as_they_are(string name, (string, string)[] variables, string[] properties, string[] errors)
    {
        var options = FromVariables(
            [.. variables, ("KAFKA_TOPIC_CHAT_MESSAGES", "your-chat-messages-topic"), ("KAFKA_CONSUMER_GROUP_ID", "your-consumer-group")]);

        Security(options).Should().BeEquivalentTo(properties, "of {0}", name);
        options.TopicNames["chat-messages"].Should().Be("your-chat-messages-topic");
        options.ConsumerGroupId.Should().Be("your-consumer-group");
        var found = KafkaOptionsValidator.Check(options, "Production").Errors;
        found.Should().HaveCount(errors.Length);
        errors.Where(error => !found.Any(sentence => sentence.Contains(error, StringComparison.Ordinal))).Should()
            .BeEmpty("of {0}: {1}", name, string.Join(" / ", found));
    }

    private static KafkaOptions FromVariables(params (string Name, string Value)[] variables)
    {
        var options = new KafkaOptions();
        KafkaEnvironment.Apply(options, variables.ToDictionary(variable => variable.Name, variable => variable.Value));
        return options;
    }

    private static IConfiguration Configuration(params (string Key, string Value)[] settings) =>
        new ConfigurationBuilder().AddInMemoryCollection(settings.ToDictionary(setting => setting.Key, setting => (string?)setting.Value)).Build();

    private static IEnumerable<string> Security(KafkaOptions options) =>
        Security(new ClientSettings(options, options.Brokers, embedded: false).Consumer("group"));

    // What is the same for all clients: where the cluster is, and how it is talked to.
    private static IEnumerable<string> Security(ClientConfig client) => client
        .Where(property => ClientProperties.IsSecurity(property.Key) || property.Key is "bootstrap.servers" or "metadata.max.age.ms"
            or "connections.max.idle.ms")
        .Select(property => $"{property.Key}={property.Value}");
}
