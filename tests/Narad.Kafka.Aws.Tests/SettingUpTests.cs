using Amazon.Runtime;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace Narad.Kafka.Aws.Tests;

/// <summary>What the package's methods set, and when.</summary>
public sealed class SettingUpTests
{
    private const string Broker = "b-1.orders.abc123.c2.kafka.us-east-1.amazonaws.com:9098";

    [Fact]
    public void UseMskIam_is_all_that_a_service_needs_beside_its_brokers()
    {
        var options = new KafkaOptions { Mode = KafkaMode.Kafka, Brokers = Broker, Sasl = { Username = "AWS", Password = "your_aws_credentials" } }.UseMskIam();

        options.Provider.Should().Be(KafkaProvider.MskIam);
        options.Ssl.Enabled.Should().BeTrue();
        options.Sasl.Mechanism.Should().Be("aws_msk_iam");
        options.Sasl.Username.Should().BeNull();
        new KafkaService(options).Invoking(kafka => kafka.Init()).Should().NotThrow();
    }

    [Theory]
    [InlineData("aws_msk_iam", true)]
    [InlineData("AWS_MSK_IAM", true)]
    [InlineData("scram-sha-512", false)]
    [InlineData("oauthbearer", false)]
    public void AddAwsTokens_adds_them_where_the_settings_ask_for_them_and_only_there(string mechanism, bool added)
    {
        var options = new KafkaOptions { Brokers = Broker, Sasl = { Mechanism = mechanism } }.AddAwsTokens();

        (options.Sasl.TokenProvider is not null).Should().Be(added);
        options.Sasl.Mechanism.Should().Be(mechanism);
    }

    [Fact]
    public void A_source_that_is_there_already_stays()
    {
        OAuthBearerTokenProvider own = _ => throw new NotSupportedException();
        new KafkaOptions { Sasl = { Mechanism = "aws_msk_iam", TokenProvider = own } }.AddAwsTokens().Sasl.TokenProvider.Should().BeSameAs(own);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void With_a_host_the_settings_decide_wherever_they_come_from(bool named)
    {
        var builder = Host.CreateEmptyApplicationBuilder(settings: null);
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["Kafka:Brokers"] = Broker,
            [named ? "Kafka:Provider" : "Kafka:Sasl:Mechanism"] = named ? "MskIam" : "aws_msk_iam",
            ["Kafka:Ssl:Enabled"] = "true",
        });
        builder.Services.AddNaradKafka(builder.Configuration).AddAwsTokens(aws => aws.Credentials = new BasicAWSCredentials("key", "secret"));
        using var host = builder.Build();

        host.Services.GetRequiredService<IOptions<KafkaOptions>>().Value.Sasl.TokenProvider.Should().NotBeNull();
    }

    [Fact]
    public void With_a_host_UseMskIam_sets_the_same()
    {
        var builder = Host.CreateEmptyApplicationBuilder(settings: null);
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?> { ["Kafka:Brokers"] = Broker });
        builder.Services.AddNaradKafka(builder.Configuration).UseMskIam("us-east-1");
        using var host = builder.Build();

        host.Services.GetRequiredService<IOptions<KafkaOptions>>().Value.Provider.Should().Be(KafkaProvider.MskIam);
    }

    [Fact]
    public void No_key_is_in_the_text_of_the_options() =>
        new MskIamOptions { Credentials = new BasicAWSCredentials("key", "secret"), Region = "eu-west-1", RoleArn = "arn:role" }.ToString().Should()
            .Be("MSK IAM in eu-west-1 as arn:role");
}
