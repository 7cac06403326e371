using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using Narad.Kafka.Shared;

namespace Narad.Kafka.SchemaRegistry.Tests;

/// <summary>How the registry knows who asks, and how its certificate is checked.</summary>
public sealed class CredentialTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("narad-registry-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task Confluent_Cloud_gets_the_token_the_registrys_id_and_the_identity_pool_and_the_token_is_fetched_once()
    {
        await using var registry = new FakeRegistry();
        await using var tokens = LoopbackEndpoint.Json($$"""{"access_token":"{{Token}}","token_type":"Bearer","expires_in":600}""");
        using var schemas = Create(registry, new SchemaRegistryOptions
        {
            Oidc = new OidcOptions
            {
                ClientId = "narad", ClientSecret = "hunter2", TokenEndpoint = tokens.Address.ToString(), LogicalCluster = "lsrc-1", IdentityPoolId = "pool-1",
            },
        });

        await Task.WhenAll(Enumerable.Range(0, 5).Select(number => schemas.SerializeKeyAsync($"topic-{number}", new Key(1)).AsTask()));

        tokens.Requests.Should().ContainSingle("all requests share one token");
        registry.Requests.Should().HaveCountGreaterThanOrEqualTo(5).And.OnlyContain(head =>
            head.Contains($"Authorization: Bearer {Token}", StringComparison.OrdinalIgnoreCase)
            && head.Contains("target-sr-cluster: lsrc-1", StringComparison.OrdinalIgnoreCase)
            && head.Contains("Confluent-Identity-Pool-Id: pool-1", StringComparison.OrdinalIgnoreCase));
    }

    [Fact]
    [Trait("Promise", "S30")]
    public async Task An_identity_provider_that_refuses_makes_messages_wait_and_the_secret_is_in_no_text()
    {
        await using var registry = new FakeRegistry();
        await using var tokens = LoopbackEndpoint.Json("""{"error":"invalid_client"}""", "401 Unauthorized");
        var options = new SchemaRegistryOptions
        {
            Oidc = new OidcOptions { ClientId = "narad", ClientSecret = "hunter2", TokenEndpoint = tokens.Address.ToString() },
        };
        using var schemas = Create(registry, options);

        var write = async () => await schemas.SerializeKeyAsync("t", new Key(1));

        var thrown = (await write.Should().ThrowAsync<SerializationUnavailableException>()).Which;
        thrown.Message.Should().Contain("there is no token");
        thrown.ToString().Should().NotContain("hunter2");
        registry.Requests.Should().BeEmpty();
        JsonSerializer.Serialize(options).Should().NotContain("hunter2");
    }

    [Fact]
    [Trait("Promise", "S28")]
    public async Task The_credentials_of_Kafka_are_used_as_a_providers_profile_set_them()
    {
        await using var registry = new FakeRegistry();
        var kafka = new KafkaOptions().UseConfluentCloud("the-key", "hunter2");
        using var schemas = Create(registry, new SchemaRegistryOptions { UseKafkaCredentials = true }, kafka);

        await schemas.SerializeKeyAsync("t", new Key(1));

        var header = $"Authorization: Basic {Convert.ToBase64String("the-key:hunter2"u8)}";
        registry.Requests.Should().NotBeEmpty().And.OnlyContain(head => head.Contains(header, StringComparison.OrdinalIgnoreCase));
    }

    [Fact]
    [Trait("Promise", "S28")]
    public async Task The_token_source_of_Kafka_is_used_as_a_providers_profile_set_it()
    {
        await using var registry = new FakeRegistry();
        await using var tokens = LoopbackEndpoint.Json($$"""{"access_token":"{{Token}}","token_type":"Bearer","expires_in":600}""");
        var kafka = new KafkaOptions().UseConfluentCloudOidc("narad", "hunter2", tokens.Address.ToString(), "lkc-1", "pool-1");
        using var schemas = Create(registry, new SchemaRegistryOptions { UseKafkaCredentials = true }, kafka);

        await schemas.SerializeKeyAsync("t", new Key(1));

        registry.Requests.Should().NotBeEmpty().And.OnlyContain(head => head.Contains($"Authorization: Bearer {Token}", StringComparison.OrdinalIgnoreCase));
    }

    [Fact]
    public async Task The_named_authority_is_trusted_and_the_clients_certificate_is_sent()
    {
        var (authority, server, client) = Certificates();
        string? seen = null;
        await using var registry = new FakeRegistry(new SslServerAuthenticationOptions
        {
            ServerCertificate = server,
            ClientCertificateRequired = true,
            RemoteCertificateValidationCallback = (_, certificate, _, _) => (seen = certificate?.Subject) is not null,
        });
        var ca = Path.Combine(_folder.FullName, "ca.pem");
        var pfx = Path.Combine(_folder.FullName, "client.pfx");
        await File.WriteAllTextAsync(ca, authority.ExportCertificatePem());
        await File.WriteAllBytesAsync(pfx, client.Export(X509ContentType.Pfx, "hunter2"));
        using var schemas = Create(registry, new SchemaRegistryOptions { Ca = ca, Certificate = pfx, CertificatePassword = "hunter2" });

        await schemas.SerializeKeyAsync("t", new Key(1));

        seen.Should().Be("CN=narad-client");
    }

    [Fact]
    public async Task An_authority_that_is_not_trusted_is_no_answer_and_development_may_accept_it()
    {
        var (_, server, _) = Certificates();
        await using var registry = new FakeRegistry(new SslServerAuthenticationOptions { ServerCertificate = server });
        using var strict = Create(registry, new SchemaRegistryOptions());
        using var lax = Create(registry, new SchemaRegistryOptions { RejectUnauthorized = false }, new KafkaOptions { Environment = "Development" });

        var write = async () => await strict.SerializeKeyAsync("t", new Key(1));

        (await write.Should().ThrowAsync<SerializationUnavailableException>()).WithMessage("*could not be reached*certificate*chain*");
        (await lax.SerializeKeyAsync("t", new Key(1))).ToBytes().Should().StartWith([0]);
    }

    [Fact]
    [Trait("Promise", "S31")]
    public async Task Files_that_cannot_be_used_are_errors_at_start()
    {
        var (_, _, client) = Certificates();
        var pfx = Path.Combine(_folder.FullName, "client.pfx");
        await File.WriteAllBytesAsync(pfx, client.Export(X509ContentType.Pfx, "hunter2"));
        var use = (SchemaRegistryOptions options) => new KafkaOptions().UseSchemaRegistry(new KafkaSchemaRegistry(options));

        use.Invoking(call => call(new SchemaRegistryOptions { Url = "https://r", Certificate = pfx, CertificatePassword = "wrong-secret" }))
            .Should().Throw<KafkaConfigurationException>().Which.Message.Should().Contain("Kafka:SchemaRegistry:Certificate").And.NotContain("wrong-secret");
        use.Invoking(call => call(new SchemaRegistryOptions { Url = "https://r", Ca = pfx }))
            .Should().Throw<KafkaConfigurationException>().WithMessage("*Kafka:SchemaRegistry:Ca*no certificate in PEM*");
        use.Invoking(call => call(new SchemaRegistryOptions { Url = "https://r", Ca = "missing.pem" }))
            .Should().Throw<KafkaConfigurationException>().WithMessage("*does not exist: 'missing.pem'*");
    }

    [Fact]
    public async Task The_name_in_the_certificate_must_be_that_of_the_server()
    {
        var (authority, _, client) = Certificates();
        await using var registry = new FakeRegistry(new SslServerAuthenticationOptions { ServerCertificate = client });
        var ca = Path.Combine(_folder.FullName, "ca.pem");
        await File.WriteAllTextAsync(ca, authority.ExportCertificatePem());
        using var schemas = Create(registry, new SchemaRegistryOptions { Ca = ca });

        var write = async () => await schemas.SerializeKeyAsync("t", new Key(1));

        (await write.Should().ThrowAsync<SerializationUnavailableException>()).WithMessage("*could not be reached*certificate*Name*");
    }

    [Theory]
    [InlineData(RegistryFault.ServerError)]
    [InlineData(RegistryFault.Hangs)]
    public async Task Of_several_addresses_the_next_one_is_asked(RegistryFault fault)
    {
        await using var broken = new FakeRegistry { Fault = fault };
        await using var registry = new FakeRegistry();
        using var schemas = new KafkaSchemaRegistry(new SchemaRegistryOptions
        {
            Url = $"{broken.Url}, {registry.Url}",
            Registration = SchemaRegistration.Register,
            Timeout = TimeSpan.FromSeconds(fault is RegistryFault.Hangs ? 3 : 60),
        }).WithKeySchema<Key>();

        (await schemas.SerializeKeyAsync("t", new Key(1))).ToBytes().Should().StartWith([0]);

        broken.Requests.Should().ContainSingle("the one that answered is asked first from then on");
    }

    [Theory]
    [InlineData(RegistryFault.Unauthorized)]
    [InlineData(RegistryFault.ServerError)]
    [Trait("Promise", "S30")]
    public async Task Logs_health_and_exceptions_show_no_credentials(RegistryFault fault)
    {
        await using var registry = new FakeRegistry { Fault = fault };
        var logged = new StringBuilder();
        await using var host = new RegistryHost(
            registry.Url.Replace("://", "://narad:hunter2@", StringComparison.Ordinal),
            static kafka => kafka.WithSchema<Order>("orders"),
            static options => options.StartWithoutRegistry = true,
            log: line =>
            {
                lock (logged)
                {
                    logged.AppendLine(line);
                }
            });
        await host.Host.StartAsync();
        await host.Kafka.ConnectConsumerAsync("billing");
        await host.Kafka.SubscribeAsync<Order>("orders", static (_, _, _) => Task.CompletedTask, "billing");
        await host.Kafka.SendAsync("orders", ConsumingTests.Frame(1, "{}"), "k");
        var send = async () => await host.Kafka.SendAsync("orders", new Order("1", 1), "k");

        (await send.Should().ThrowAsync<KafkaSendException>()).Which.ToString().Should().NotContain("hunter2");
        var health = "";
        await RegistryHost.Until(
            async () =>
            {
                health = (await host.HealthAsync()).Entries.Values.Single().Description ?? "";
                return health.Contains("The schema registry", StringComparison.Ordinal);
            },
            "health names the registry");

        health.Should().Contain(registry.Url).And.NotContain("hunter2");
        lock (logged)
        {
            logged.ToString().Should().Contain(registry.Url).And.NotContain("hunter2");
        }
    }

    private static string Token { get; } = $"{Part("""{"alg":"none"}""")}.{Part("""{"sub":"narad"}""")}.";

    private static string Part(string json) => Convert.ToBase64String(Encoding.UTF8.GetBytes(json)).TrimEnd('=');

    private static KafkaSchemaRegistry Create(FakeRegistry registry, SchemaRegistryOptions options, KafkaOptions? kafka = null)
    {
        options.Url = registry.Url;
        options.Timeout = TimeSpan.FromMinutes(1);
        options.Registration = SchemaRegistration.Register;
        var schemas = new KafkaSchemaRegistry(options).WithKeySchema<Key>();
        (kafka ?? new KafkaOptions { Environment = "Production" }).UseSchemaRegistry(schemas);
        return schemas;
    }

    private static (X509Certificate2 Authority, X509Certificate2 Server, X509Certificate2 Client) Certificates()
    {
        var (from, to) = (DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=narad-test-ca", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, false, 0, critical: true));
        var authority = request.CreateSelfSigned(from, to);
        return (authority, Issue("CN=127.0.0.1"), Issue("CN=narad-client"));

        X509Certificate2 Issue(string name)
        {
            using var own = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            var asked = new CertificateRequest(name, own, HashAlgorithmName.SHA256);
            var names = new SubjectAlternativeNameBuilder();
            if (name is not "CN=narad-client")
            {
                names.AddIpAddress(System.Net.IPAddress.Loopback);
            }
            else
            {
                names.AddDnsName("narad-client");
            }

            asked.CertificateExtensions.Add(names.Build());
            using var issued = asked.Create(authority, from, to, RandomNumberGenerator.GetBytes(8)).CopyWithPrivateKey(own);

            // A key of its own process, which TLS needs on some systems.
            return X509CertificateLoader.LoadPkcs12(issued.Export(X509ContentType.Pfx), null, X509KeyStorageFlags.Exportable);
        }
    }

    public sealed record Key(int Number);
}
