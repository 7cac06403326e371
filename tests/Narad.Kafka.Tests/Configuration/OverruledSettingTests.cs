using Microsoft.Extensions.Configuration;
using Narad.Kafka.Configuration;

namespace Narad.Kafka.Tests.Configuration;

/// <summary>A setting that another source overrules is named once, with the source that wins, and no error sends anybody to change what is ignored.</summary>
public sealed class OverruledSettingTests
{
    [Fact]
    public void A_variable_that_configuration_overrules_is_named_once_with_the_winner()
    {
        var options = New(("KAFKA_BROKERS", "environment:1"), ("KAFKA_SSL", "true"), ("KAFKA_CLIENT_ID", "same"));
        Configure(options, ("Kafka:Brokers:0", "configuration:1"), ("Kafka:Ssl:Enabled", "false"), ("Kafka:ClientId", "same"));

        KafkaOptionsValidator.Check(options, "Development").Warnings.Should().Equal(
            "KAFKA_BROKERS is overruled by Kafka:Brokers of the configuration: remove one of them.",
            "KAFKA_SSL is overruled by Kafka:Ssl:Enabled of the configuration: remove one of them.");
    }

    [Fact]
    public void What_code_overrules_is_named_too_and_no_value_is_shown()
    {
        var options = New(("KAFKA_SASL_USERNAME", "a"), ("KAFKA_SASL_PASSWORD", "hunter2-env"));
        Configure(options, ("Kafka:Sasl:Password", "hunter2-file"));
        options.Sasl.Password = "hunter2-code";

        var warnings = KafkaOptionsValidator.Check(options, "Development").Warnings;
        warnings.Should().Contain("Kafka:Sasl:Password of the configuration is overruled by code: remove one of them.")
            .And.Contain("KAFKA_SASL_PASSWORD is overruled by code: remove one of them.");
        string.Concat(warnings).Should().NotContain("hunter2");
    }

    [Fact]
    public void A_provider_that_sets_what_a_variable_says_otherwise_is_named()
    {
        var options = New(("KAFKA_SSL_ENABLED", "false"));
        options.UseMskTls("client.pem");

        KafkaOptionsValidator.Check(options, "Development").Warnings.Should()
            .Contain("KAFKA_SSL_ENABLED is overruled by code or Kafka:Provider = MskTls: remove one of them.");
    }

    [Fact]
    public void An_error_about_a_setting_says_that_its_variable_is_ignored()
    {
        var options = New(("KAFKA_BROKERS", "right:9092"));
        Configure(options, ("Kafka:Brokers", "no-port"));

        KafkaOptionsValidator.Check(options, "Production").Errors.Should().ContainSingle().Which.Should().Contain("Kafka:Brokers (KAFKA_BROKERS)")
            .And.EndWith("KAFKA_BROKERS is overruled by Kafka:Brokers of the configuration: remove one of them.");
    }

    [Fact]
    public void Settings_of_one_source_or_of_two_that_agree_are_not_mentioned()
    {
        var options = New(("KAFKA_BROKERS", " a:1 , b:2 "), ("KAFKA_MODE", "kafka"));
        Configure(options, ("Kafka:Brokers", "a:1,b:2"), ("Kafka:ConsumerGroupId", "g"));

        KafkaOptionsValidator.Check(options, "Production").Warnings.Should().BeEmpty();
    }

    private static KafkaOptions New(params (string Name, string Value)[] variables)
    {
        var options = new KafkaOptions();
        KafkaEnvironment.Apply(options, variables.ToDictionary(variable => variable.Name, variable => variable.Value));
        return options;
    }

    private static void Configure(KafkaOptions options, params (string Key, string Value)[] settings) => KafkaConfigurationSection.Apply(
        options, new ConfigurationBuilder().AddInMemoryCollection(settings.ToDictionary(setting => setting.Key, setting => (string?)setting.Value)).Build());
}
