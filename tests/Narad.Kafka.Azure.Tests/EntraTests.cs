using System.Collections.Concurrent;
using Azure.Identity;
using Confluent.Kafka;
using Confluent.Kafka.Admin;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace Narad.Kafka.Azure.Tests;

/// <summary>Tokens of Entra ID for Event Hubs: what is asked for, where, and what becomes of a failure.</summary>
public sealed class EntraTests
{
    [Theory]
    [InlineData("my-ns", "my-ns.servicebus.windows.net")]
    [InlineData("My-NS.ServiceBus.Windows.net:9093", "my-ns.servicebus.windows.net")]
    [InlineData("ns.servicebus.chinacloudapi.cn", "ns.servicebus.chinacloudapi.cn")]
    [InlineData("ns.servicebus.usgovcloudapi.net", "ns.servicebus.usgovcloudapi.net")]
    public async Task The_scope_and_the_brokers_are_the_namespaces(string eventHubs, string host)
    {
        var credential = new FakeCredential(TimeSpan.FromHours(1));
        var options = new KafkaOptions
        {
            Mode = KafkaMode.Kafka, Sasl = { Username = "$ConnectionString", Password = "Endpoint=sb://other/" },
        }.UseEventHubsEntra(eventHubs, credential);

        var token = await options.Sasl.TokenProvider!(default);

        credential.Scopes.Should().Equal($"https://{host}/.default");
        token.ExpiresAt.Should().BeCloseTo(DateTimeOffset.UtcNow.AddHours(1), TimeSpan.FromMinutes(1));
        options.Brokers.Should().Be($"{host}:9093");
        options.Provider.Should().Be(KafkaProvider.EventHubs);
        options.Sasl.Mechanism.Should().Be("oauthbearer");
        options.Sasl.Password.Should().BeNull();
        options.Ssl.Enabled.Should().BeTrue();
        new KafkaService(options).Invoking(kafka => kafka.Init()).Should().NotThrow();
    }

    [Theory]
    [InlineData("ns.example.com")]
    [InlineData("sb://ns.servicebus.windows.net")]
    [InlineData("evil.example/.servicebus.windows.net")]
    [InlineData(".servicebus.windows.net")]
    public void What_is_no_namespace_is_refused(string eventHubs) =>
        FluentActions.Invoking(() => new KafkaOptions().UseEventHubsEntra(eventHubs)).Should().Throw<ArgumentException>()
            .WithMessage("*is no Event Hubs namespace*");

    [Theory]
    [InlineData("oauthbearer", "ns.servicebus.windows.net:9093", true)]
    [InlineData("OAUTHBEARER", "proxy:9093, ns.servicebus.usgovcloudapi.net:9093", true)]
    [InlineData("plain", "ns.servicebus.windows.net:9093", false)]
    [InlineData("oauthbearer", "kafka.example.com:9093", false)]
    public void AddAzureTokens_adds_them_where_the_settings_ask_for_them_and_only_there(string mechanism, string brokers, bool added)
    {
        var options = new KafkaOptions { Brokers = brokers, Sasl = { Mechanism = mechanism } }.AddAzureTokens(new FakeCredential(TimeSpan.FromHours(1)));

        (options.Sasl.TokenProvider is not null).Should().Be(added);
    }

    [Fact]
    public void With_a_host_the_settings_decide_and_a_source_that_is_there_already_stays()
    {
        OAuthBearerTokenProvider own = _ => throw new NotSupportedException();
        Source(builder => builder.AddAzureTokens()).Should().NotBeNull();
        Source(builder => builder.AddAzureTokens().Configure(options => options.Sasl.TokenProvider = own)).Should().BeSameAs(own);
        Source(builder => builder.UseEventHubsEntra("other", new FakeCredential(TimeSpan.FromHours(1)))).Should().NotBeNull();

        static OAuthBearerTokenProvider? Source(Action<NaradKafkaBuilder> add)
        {
            var builder = Host.CreateEmptyApplicationBuilder(settings: null);
            builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
            {
                ["Kafka:Brokers"] = "ns.servicebus.windows.net:9093",
                ["Kafka:Sasl:Mechanism"] = "oauthbearer",
                ["Kafka:Ssl:Enabled"] = "true",
            });
            add(builder.Services.AddNaradKafka(builder.Configuration));
            using var host = builder.Build();
            return host.Services.GetRequiredService<IOptions<KafkaOptions>>().Value.Sasl.TokenProvider;
        }
    }

    [Fact]
    public async Task A_credential_that_fails_is_named_with_its_reason()
    {
        var options = new KafkaOptions().UseEventHubsEntra("ns", new FakeCredential(default, new CredentialUnavailableException("No managed identity here.")));

        (await FluentActions.Awaiting(() => options.Sasl.TokenProvider!(default).AsTask()).Should().ThrowAsync<OAuthBearerTokenException>())
            .WithMessage("Entra ID gave no token for https://ns.servicebus.windows.net/.default: No managed identity here.");
    }

    [SkippableFact]
    public async Task A_service_connects_to_a_real_broker_sends_and_receives()
    {
        var topic = $"narad-test-topic-{Guid.CreateVersion7():n}";
        var credential = new FakeCredential(TimeSpan.FromSeconds(5));
        var options = new KafkaOptions { Mode = KafkaMode.Kafka, ConnectTimeout = TimeSpan.FromSeconds(60) }.UseEventHubsEntra("ns", credential);
        options.Brokers = Variable("NARAD_TEST_KAFKA_SASL_SSL");
        options.Ssl.Ca = Variable("NARAD_TEST_KAFKA_CA");
        using var admin = new AdminClientBuilder(new AdminClientConfig { BootstrapServers = Variable("NARAD_TEST_KAFKA") }).Build();
        await admin.CreateTopicsAsync([new TopicSpecification { Name = topic, NumPartitions = 1 }]);
        await using var kafka = new KafkaService(options);
        var received = new ConcurrentQueue<string>();
        var came = new TaskCompletionSource();

        await kafka.ConnectProducerAsync();
        await kafka.ConnectConsumerAsync($"narad-test-group-{Guid.CreateVersion7():n}");
        await kafka.SubscribeAsync<string>(topic, (message, _, _) =>
        {
            received.Enqueue(message);
            came.TrySetResult();
            return Task.CompletedTask;
        });
        await kafka.SendAsync(topic, "hello");
        await came.Task.WaitAsync(TimeSpan.FromSeconds(30));

        received.Should().Equal("hello");
        credential.Scopes.Should().OnlyContain(scope => scope == "https://ns.servicebus.windows.net/.default").And.NotBeEmpty();
    }

    private static string Variable(string name)
    {
        var value = Environment.GetEnvironmentVariable(name);
        Skip.If(string.IsNullOrEmpty(value), $"{name} is not set: there is no listener that takes unsecured tokens.");
        return value!;
    }
}
