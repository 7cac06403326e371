using FsCheck;
using FsCheck.Fluent;
using Microsoft.Extensions.Configuration;
using Narad.Kafka.Configuration;

namespace Narad.Kafka.Tests.Configuration;

/// <summary>The variables, the section, and which of them wins.</summary>
public sealed class KafkaEnvironmentTests
{
    [Fact]
    public void Every_variable_sets_its_option()
    {
        var options = FromVariables(
            ("KAFKA_CLIENT_ID", "shop"), ("KAFKA_BROKERS", "a:1, b:2"), ("KAFKA_SSL", "TRUE"), ("KAFKA_SSL_REJECT_UNAUTHORIZED", "false"),
            ("KAFKA_SSL_CA", "/ca.pem"), ("KAFKA_SASL_MECHANISM", "scram-sha-256"), ("KAFKA_SASL_USERNAME", "u"), ("KAFKA_SASL_PASSWORD", " p "),
            ("KAFKA_CONSUMER_GROUP_ID", "g"), ("KAFKA_TOPIC_CHAT_MESSAGES", "real"), ("KAFKA_MODE", "embedded"),
            ("KAFKA_SSL_CERT", "/client.pem"), ("KAFKA_SSL_KEY", "/client.key"), ("KAFKA_SSL_KEY_PASSWORD", " kp "));

        options.ClientId.Should().Be("shop");
        BrokerList.Normalize(options.Brokers).Should().Be("a:1,b:2");
        options.Ssl.Should().BeEquivalentTo(new SslOptions
        {
            Enabled = true, RejectUnauthorized = false, Ca = "/ca.pem", Certificate = "/client.pem", Key = "/client.key", KeyPassword = " kp ",
        });
        options.Sasl.Should().BeEquivalentTo(new SaslOptions { Mechanism = "scram-sha-256", Username = "u", Password = " p " });
        options.ConsumerGroupId.Should().Be("g");
        options.TopicNames.Should().Equal(new Dictionary<string, string> { ["chat-messages"] = "real" });
        options.Mode.Should().Be(KafkaMode.Embedded);
        options.BindingErrors.Should().BeEmpty();
        options.BindingWarnings.Should().BeEmpty();
    }

    [Fact]
    public void No_variables_leave_the_defaults() => FromVariables(("KAFKA_BROKERS", ""), ("KAFKA_MODE", " ")).Should().BeEquivalentTo(new KafkaOptions());

    [Theory]
    [InlineData("true", "false", false)]
    [InlineData("false", "true", true)]
    public void The_newer_of_two_variables_wins_with_a_warning(string older, string newer, bool expected)
    {
        var options = FromVariables(("KAFKA_SSL", older), ("KAFKA_SSL_ENABLED", newer));

        options.Ssl.Enabled.Should().Be(expected);
        KafkaOptionsValidator.Check(options).Warnings.Should().ContainSingle().Which.Should().Contain("KAFKA_SSL_ENABLED").And.Contain($"KAFKA_SSL={older}");
        FromVariables(("KAFKA_SSL", newer), ("KAFKA_SSL_ENABLED", newer)).BindingWarnings.Should().BeEmpty();
    }

    [Fact]
    [Trait("Promise", "S31")]
    public void What_cannot_be_read_is_reported_with_all_other_errors()
    {
        var options = FromVariables(("KAFKA_SSL", "yes"), ("KAFKA_MODE", "3"), ("KAFKA_SSL_REJECT_UNAUTHORIZED", "0"), ("KAFKA_BROKERS", "nowhere"));
        var errors = KafkaOptionsValidator.Check(options).Errors;

        errors.Should().HaveCount(4);
        errors.Should().Contain(error => error.Contains("KAFKA_SSL = yes: write true or false"));
        errors.Should().Contain(error => error.Contains("KAFKA_MODE = 3: write one of Auto, Kafka, Embedded, Console"));
    }

    [Fact]
    [Trait("Promise", "S31")]
    public void The_chats_block_for_msk_binds_and_is_told_its_port()
    {
        var options = FromVariables(
            ("KAFKA_BROKERS", "b-1.xxxxx.kafka.us-east-1.amazonaws.com:9092,b-2.xxxxx.kafka.us-east-1.amazonaws.com:9092"),
            ("KAFKA_SASL_USERNAME", "AWS"), ("KAFKA_SASL_PASSWORD", "your_aws_credentials"), ("KAFKA_SASL_MECHANISM", "aws_msk_iam"),
                ("KAFKA_SSL_ENABLED", "true"));

        options.BindingErrors.Should().BeEmpty();
        var errors = KafkaOptionsValidator.Check(options, "Production").Errors;
        errors.Where(error => error.Contains("use 9098")).Should().HaveCount(2);
        string.Concat(errors).Should().NotContain("your_aws_credentials");
    }

    [Fact]
    public void The_environments_name_is_the_hosts_then_the_runtimes_then_production()
    {
        var both = Variables(("DOTNET_ENVIRONMENT", "Staging"), ("ASPNETCORE_ENVIRONMENT", "Development"));

        KafkaEnvironment.NameOf(new KafkaOptions { Environment = "Mine" }, both).Should().Be("Mine");
        KafkaEnvironment.NameOf(new KafkaOptions(), both).Should().Be("Staging");
        KafkaEnvironment.NameOf(new KafkaOptions(), Variables(("ASPNETCORE_ENVIRONMENT", "Development"))).Should().Be("Development");
        KafkaEnvironment.NameOf(new KafkaOptions(), Variables()).Should().Be("Production");
    }

    [Fact]
    public void Code_beats_configuration_beats_environment()
    {
        var options = FromVariables(("KAFKA_CLIENT_ID", "environment"), ("KAFKA_BROKERS", "environment:1"), ("KAFKA_CONSUMER_GROUP_ID", "environment"));
        KafkaConfigurationSection.Apply(options, Configuration(("Kafka:ClientId", "configuration"), ("Kafka:Brokers", "configuration:1")));
        options.ClientId = "code";

        options.ClientId.Should().Be("code");
        options.Brokers.Should().Be("configuration:1");
        options.ConsumerGroupId.Should().Be("environment");
    }

    [Fact]
    public void A_section_binds_every_kind_of_setting()
    {
        var options = FromConfiguration(
            ("Kafka:Brokers:0", "a:1"), ("Kafka:Brokers:1", "b:2"), ("kafka:mode", "kafka"), ("Kafka:SendTimeout", "00:00:05"),
                ("Kafka:RevokeTimeout", "00:00:01.5"),
            ("Kafka:MaxBufferedBytes", "4294967296"), ("Kafka:TopicReplicationFactor", "-1"), ("Kafka:StartWithoutBroker", "true"),
                ("Kafka:Ssl:Enabled", "true"),
            ("Kafka:Sasl:Password", "p"), ("Kafka:TopicNames:x-y", "real"), ("Kafka:ClientProperties:client.rack", "r1"));

        options.Brokers.Should().Be("a:1,b:2");
        options.Mode.Should().Be(KafkaMode.Kafka);
        options.SendTimeout.Should().Be(TimeSpan.FromSeconds(5));
        options.RevokeTimeout.Should().Be(TimeSpan.FromSeconds(1.5));
        options.MaxBufferedBytes.Should().Be(4L << 30);
        options.TopicReplicationFactor.Should().Be(-1);
        options.StartWithoutBroker.Should().BeTrue();
        options.Ssl.Enabled.Should().BeTrue();
        options.Sasl.Password.Should().Be("p");
        options.TopicNames["x-y"].Should().Be("real");
        options.ClientProperties["client.rack"].Should().Be("r1");
        options.BindingErrors.Should().BeEmpty();
        options.BindingWarnings.Should().BeEmpty();
    }

    [Fact]
    public void A_connection_string_names_the_brokers_where_the_section_does_not()
    {
        FromConfiguration(("ConnectionStrings:kafka", "aspire:1")).Brokers.Should().Be("aspire:1");
        FromConfiguration(("ConnectionStrings:kafka", "aspire:1"), ("Kafka:Brokers", "section:1")).Brokers.Should().Be("section:1");
    }

    [Fact]
    [Trait("Promise", "S31")]
    public void Errors_of_a_section_are_collected_and_a_bare_number_is_no_time()
    {
        var options = FromConfiguration(("Kafka:SendTimeout", "5"), ("Kafka:Parallelism", "many"), ("Kafka:Compression", "brotli"), ("Kafka:Ssl:Enabled", "1"));

        options.BindingErrors.Should().HaveCount(4);
        options.BindingErrors.Should().Contain(error => error.Contains("Kafka:SendTimeout = 5") && error.Contains("00:00:05"));
        options.SendTimeout.Should().Be(new KafkaOptions().SendTimeout);
    }

    [Theory]
    [InlineData("Kafka:Broker", "Brokers")]
    [InlineData("Kafka:Paralelism", "Parallelism")]
    [InlineData("Kafka:Topic:orders", "TopicNames")]
    [InlineData("Kafka:Ssl:Enabld", "Enabled")]
    [InlineData("Kafka:Sasl:Pasword", "Password")]
    [InlineData("Kafka:Username", "Sasl:Username")]
    [InlineData("Kafka:Sasl:Ca", "Ssl:Ca")]
    [InlineData("Kafka:Ssl:KeyPasword", "KeyPassword")]
    [InlineData("Kafka:Certificate", "Ssl:Certificate")]
    [InlineData("Kafka:Sasl:ClientSecret", "Sasl:Oidc:ClientSecret")]
    [InlineData("Kafka:Sasl:Oidk", "Oidc")]
    [InlineData("Kafka:Oidc", "Sasl:Oidc")]
    [InlineData("Kafka:Providr", "Provider")]
    [InlineData("Kafka:ApiSecret", "Sasl:Password")]
    [InlineData("Kafka:ConnectionString", "Sasl:Password")]
    [Trait("Promise", "S31")]
    public void An_unknown_key_is_an_error_that_names_the_nearest_known_one(string key, string meant)
    {
        var options = FromConfiguration((key, "hunter2"), ("Kafka:Brokers", "a:1"));

        KafkaOptionsValidator.Check(options).Errors.Should().ContainSingle()
            .Which.Should().Contain(string.Join(':', key.Split(':')[..^(key.EndsWith("orders", StringComparison.Ordinal) ? 1 : 0)]))
            .And.Contain($"did you mean {meant}?").And.NotContain("hunter2");
    }

    [Fact]
    [Trait("Promise", "S31")]
    public void An_unknown_key_of_the_identity_provider_is_an_error_too() =>
        FromConfiguration(("Kafka:Sasl:Oidc:ClientSecrt", "hunter2")).BindingErrors.Should().ContainSingle()
            .Which.Should().Contain("Kafka:Sasl:Oidc:ClientSecrt").And.Contain("did you mean ClientSecret?").And.NotContain("hunter2");

    [Fact]
    public void An_unknown_key_that_resembles_none_is_an_error_too_and_free_places_stay_free()
    {
        FromConfiguration(("Kafka:Xyzzyxyz", "3")).BindingErrors.Should().ContainSingle().Which.Should().Contain("Kafka:Xyzzyxyz").And.Contain("remove it")
            .And.NotContain("did you mean");
        FromConfiguration(("Kafka:TopicNames:brokes", "x"), ("Kafka:ClientProperties:client.rack", "r")).BindingErrors.Should().BeEmpty();
    }

    [Fact]
    [Trait("Promise", "S31")]
    public void A_value_where_a_section_belongs_and_a_section_where_a_value_belongs_are_errors()
    {
        FromConfiguration(("Kafka:Ssl", "true")).BindingErrors.Should().ContainSingle().Which.Should().Contain("Kafka:Ssl:Enabled = true");
        FromConfiguration(("Kafka:Sasl:Oidc", "hunter2")).BindingErrors.Should().ContainSingle().Which.Should().Contain("Kafka:Sasl:Oidc:ClientId")
            .And.NotContain("hunter2");
        FromConfiguration(("Kafka:SendTimeout:Seconds", "5")).BindingErrors.Should().ContainSingle().Which.Should()
            .Contain("Kafka:SendTimeout is a section and takes one value");
        FromConfiguration(("Kafka:Ssl", ""), ("Kafka:SendTimeout", "")).BindingErrors.Should().BeEmpty("what is empty is not set");
    }

    [Fact]
    [Trait("Promise", "S31")]
    public void An_error_masks_no_other()
    {
        var options = FromVariables(("KAFKA_SASL_USERNAME", "u"), ("KAFKA_SASL_MECHANISM", "md5"), ("KAFKA_MODE", "9"));
        KafkaConfigurationSection.Apply(options,
            Configuration(("Kafka:Paralelism", "3"), ("Kafka:ClientProperties:no.such", "1"), ("Kafka:ClientProperties:batch.size", "lots"),
                ("Kafka:ClientProperties:acks", "1"), ("Kafka:Linger", "-00:00:01")));

        var errors = KafkaOptionsValidator.Check(options).Errors;

        errors.Should().HaveCount(8);
        string[] settings = ["KAFKA_MODE", "KAFKA_SASL_MECHANISM", "KAFKA_SASL_PASSWORD", "Kafka:Paralelism", "Kafka:Linger", "Kafka:ClientProperties:acks",
            "Kafka:ClientProperties:no.such", "Kafka:ClientProperties:batch.size"];
        settings.Where(setting => !errors.Any(error => error.Contains(setting, StringComparison.Ordinal))).Should().BeEmpty();
    }

    [Fact]
    public void Every_setting_of_the_options_can_be_configured()
    {
        string[] codeOnly =
            ["Json", "Serializer", "Deserializer", "SendMiddleware", "ConsumeMiddleware", "FailureObservers", "Routes", "EmbeddedBroker"];
        foreach (var setting in typeof(KafkaOptions).GetProperties().Select(property => property.Name).Except(codeOnly))
        {
            FromConfiguration(($"Kafka:{setting}", "x")).BindingErrors.Should().NotContain(error => error.Contains("no setting"), "of {0}", setting);
        }
    }

    [Fact]
    public void Every_setting_of_tls_login_and_identity_provider_can_be_configured()
    {
        foreach (var (section, type) in new[] { ("Ssl", typeof(SslOptions)), ("Sasl", typeof(SaslOptions)), ("Sasl:Oidc", typeof(OidcOptions)) })
        {
            foreach (var setting in type.GetProperties().Select(property => property.Name).Except(["TokenProvider"]))
            {
                FromConfiguration(($"Kafka:{section}:{setting}", "x")).BindingErrors.Should()
                    .NotContain(error => error.Contains("no setting"), "of {0}:{1}", section, setting);
            }
        }
    }

    [Fact]
    public void Whatever_the_variables_hold_reading_and_checking_them_never_throws() =>
        Prop.ForAll<string[]>(values =>
        {
            string[] names = ["KAFKA_SSL", "KAFKA_SSL_ENABLED", "KAFKA_MODE", "KAFKA_BROKERS", "KAFKA_SASL_MECHANISM", "KAFKA_SASL_USERNAME", "KAFKA_CLIENT_ID",
                "KAFKA_TOPIC_A_B", "KAFKA_SSL_CA", "KAFKA_SSL_CERT", "KAFKA_SSL_KEY", "KAFKA_SSL_KEY_PASSWORD", "KAFKA_SASL_PASSWORD"];
            var options = FromVariables([.. names.Zip(values ?? [], (name, value) => (name, value ?? ""))]);
            var report = KafkaOptionsValidator.Check(options, "Production");
            var valid = report.Errors.Count == 0;
            return valid ? BrokerList.Split(options.Brokers).All(broker => BrokerList.Port(broker) is > 0) : report.Errors.All(error => error.Length > 0);
        }).QuickCheckThrowOnFailure();

    private static KafkaOptions FromVariables(params (string Name, string Value)[] variables)
    {
        var options = new KafkaOptions();
        KafkaEnvironment.Apply(options, Variables(variables));
        return options;
    }

    private static Dictionary<string, string> Variables(params (string Name, string Value)[] variables) =>
        variables.ToDictionary(variable => variable.Name, variable => variable.Value);

    private static KafkaOptions FromConfiguration(params (string Key, string Value)[] settings)
    {
        var options = new KafkaOptions();
        KafkaConfigurationSection.Apply(options, Configuration(settings));
        return options;
    }

    private static IConfiguration Configuration(params (string Key, string Value)[] settings) =>
        new ConfigurationBuilder().AddInMemoryCollection(settings.ToDictionary(setting => setting.Key, setting => (string?)setting.Value)).Build();
}
