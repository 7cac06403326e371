using System.Text;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Narad.Kafka.SchemaRegistry.Tests;

/// <summary>The settings of a registry.</summary>
public sealed class SettingsTests
{
    [Fact]
    [Trait("Promise", "S31")]
    public async Task All_errors_are_in_one_message_with_the_settings_names_and_without_secrets()
    {
        using var host = Create("""{ "Kafka": { "Linger": "soon", "SchemaRegistry": { "Url": "ftp://x", "Username": "u", "Pasword": "hunter2", "Timeout": "0", "RejectUnauthorized": "false", "Registration": "both" } } }""");

        var start = () => host.StartAsync();

        var thrown = (await start.Should().ThrowAsync<KafkaConfigurationException>()).Which;
        thrown.Message.Should().Contain("Kafka:Linger").And.Contain("Kafka:SchemaRegistry:Url").And.Contain("Username is set without Password")
            .And.Contain("Kafka:SchemaRegistry:Pasword is no setting").And.Contain("Kafka:SchemaRegistry:Timeout").And.Contain(
                "RejectUnauthorized").And.Contain("Kafka:SchemaRegistry:Registration");
        thrown.Message.Should().NotContain("hunter2");
    }

    [Fact]
    public void The_section_sets_them_all()
    {
        using var host = Create("""
            { "Kafka": { "SchemaRegistry": { "Url": "https://r", "Ca": "ca.pem", "Certificate": "c.pfx", "CertificatePassword": "p", "Timeout": "00:00:07",
                "RetryDelay": "00:00:02",
              "UseKafkaCredentials": "true", "Registration": "Register", "Validate": "false", "CheckCompatibility": "true", "StartWithoutRegistry": "true",
              "Oidc": { "ClientId": "id", "ClientSecret": "s", "TokenEndpoint": "https://t", "Scope": "x", "LogicalCluster": "lsrc-1",
                  "IdentityPoolId": "pool-1" } } } }
            """);

        var options = host.Services.GetRequiredService<KafkaSchemaRegistry>().Options;

        options.Should().BeEquivalentTo(new SchemaRegistryOptions
        {
            Url = "https://r",
            Ca = "ca.pem",
            Certificate = "c.pfx",
            CertificatePassword = "p",
            Timeout = TimeSpan.FromSeconds(7),
            RetryDelay = TimeSpan.FromSeconds(2),
            UseKafkaCredentials = true,
            Registration = SchemaRegistration.Register,
            Validate = false,
            CheckCompatibility = true,
            StartWithoutRegistry = true,
            Oidc = new OidcOptions { ClientId = "id", ClientSecret = "s", TokenEndpoint = "https://t", Scope = "x", LogicalCluster = "lsrc-1",
                IdentityPoolId = "pool-1" },
        });
    }

    [Fact]
    public void Kafka_credentials_that_are_not_there_and_several_credentials_are_errors()
    {
        var use = (SchemaRegistryOptions options) => new KafkaOptions().UseSchemaRegistry(new KafkaSchemaRegistry(options));

        use.Invoking(call => call(new SchemaRegistryOptions { Url = "https://u:p@r",
            UseKafkaCredentials = true })).Should().Throw<KafkaConfigurationException>()
            .Which.Errors.Should().HaveCount(2).And.Contain(error => error.Contains("several credentials", StringComparison.Ordinal)).And.Contain(error =>
                error.Contains("Kafka:Sasl", StringComparison.Ordinal));
        use.Invoking(call => call(new SchemaRegistryOptions())).Should().Throw<KafkaConfigurationException>().WithMessage(
            "*Kafka:SchemaRegistry:Url is not set*");
    }

    [Fact]
    public void Schemas_are_declared_after_the_registry_was_added_and_the_registry_is_added_once()
    {
        var kafka = new ServiceCollection().AddNaradKafka();
        kafka.Invoking(builder => builder.WithSchema<Order>()).Should().Throw<InvalidOperationException>().WithMessage("*AddSchemaRegistry first*");
        kafka.AddSchemaRegistry("https://r").Invoking(builder =>
            builder.AddSchemaRegistry()).Should().Throw<InvalidOperationException>().WithMessage("*before*");
    }

    [Fact]
    public async Task In_Console_mode_no_registry_is_needed()
    {
        using var host = Create("""{ "Kafka": { "Mode": "Console", "SchemaRegistry": { "Url": "http://127.0.0.1:1" } } }""");
        await host.StartAsync();

        (await host.Services.GetRequiredService<IKafkaService>().SendAsync("orders", new Order("1", 2))).Offset.Should().Be(-1);
    }

    private static IHost Create(string json)
    {
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings { EnvironmentName = "Staging" });
        builder.Configuration.AddJsonStream(new MemoryStream(Encoding.UTF8.GetBytes(json)));
        builder.Services.AddNaradKafka().AddSchemaRegistry().WithSchema<Order>("orders");
        return builder.Build();
    }
}
