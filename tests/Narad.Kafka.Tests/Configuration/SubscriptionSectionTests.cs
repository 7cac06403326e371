using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Narad.Kafka.Configuration;
using Narad.Kafka.Tests.Service;

namespace Narad.Kafka.Tests.Configuration;

/// <summary>A subscription's section of the configuration: bound before code, validated with it, all errors at once.</summary>
public sealed class SubscriptionSectionTests
{
    [Fact]
    [Trait("Promise", "S31")]
    public void All_errors_of_a_subscription_come_at_once_with_setting_value_and_remedy()
    {
        var options = Build("orders", o => o.Retry.Topic.Name = "not a topic", out _,
            ("Kafka:Subscriptions:orders:Parallelism", "0"), ("Kafka:Subscriptions:orders:Timeout", "5"),
                ("Kafka:Subscriptions:orders:Retry:InMemory:MaxAttempt", "2"),
            ("Kafka:Subscriptions:orders:Order", "BySize"), ("Kafka:Subscriptions:orders:CircuitBreaker:FailureRatio", "1.5"),
                ("Kafka:Subscriptions:orders:DeadLetter", "true"),
            ("Kafka:Subscriptions:orders:ExactlyOnce:TimeLimit", "00:02:00"));

        var validating = () => SubscriptionOptionsValidator.ThrowIfInvalid(options, "orders", KafkaAssignor.CooperativeSticky, isBatch: false, []);

        var errors = validating.Should().Throw<KafkaConfigurationException>().Which.Errors;
        foreach (var expected in (string[])
        [
            "Kafka:Subscriptions:orders:Parallelism = 0: write a number from 1 to 10,000*",
            "Kafka:Subscriptions:orders:Timeout = 5: write a time as hours:minutes:seconds*",
            "Kafka:Subscriptions:orders:Retry:InMemory:MaxAttempt is no setting*did you mean Retry:InMemory:MaxAttempts?",
            "Kafka:Subscriptions:orders:Order*write one of ByKey, ByPartition, Unordered*",
            "Kafka:Subscriptions:orders:CircuitBreaker:FailureRatio = 1.5: write a ratio above 0*",
            "Kafka:Subscriptions:orders:DeadLetter has a value and is a section*DeadLetter:Enabled*",
            "Kafka:Subscriptions:orders:ExactlyOnce:TimeLimit = 00:02:00: write a time above 0 and below TransactionTimeout*",
            "Kafka:Subscriptions:orders:Retry:Topic:Name = not a topic: write 1 to 249 letters*",
        ])
        {
            errors.Should().ContainMatch(expected);
        }

        errors.Should().HaveCount(8);
    }

    [Fact]
    public void Code_beats_the_section_and_what_is_overruled_is_named()
    {
        var options = Build("orders", static o => o.Parallelism = 8, out var overruled,
            ("Kafka:Subscriptions:orders:Parallelism", "64"), ("Kafka:Subscriptions:orders:Retry:InMemory:MaxAttempts", "2"),
                ("Kafka:Subscriptions:other:Parallelism", "3"));

        options.Parallelism.Should().Be(8);
        options.Retry.InMemory.MaxAttempts.Should().Be(2);
        overruled.Should().Equal("Kafka:Subscriptions:orders:Parallelism");
    }

    [Fact]
    public void A_subscription_with_a_name_has_the_section_of_that_name()
    {
        var options = Build("orders", static o => o.Name = "billing", out _, ("Kafka:Subscriptions:orders:Parallelism", "64"),
            ("Kafka:Subscriptions:billing:Parallelism", "3"));

        options.Parallelism.Should().Be(3);
    }

    [Fact]
    public async Task A_running_subscription_takes_its_section_and_logs_what_code_overrules()
    {
        await using var service = await EmbeddedService.StartAsync(static options => KafkaConfigurationSection.Apply(options, Configuration(
            ("Kafka:Subscriptions:orders:DeadLetter:Enabled", "true"), ("Kafka:Subscriptions:orders:Retry:InMemory:MaxAttempts", "5"))));
        service.Broker.CreateTopic("orders", 1);
        var attempts = 0;

        await service.Kafka.SubscribeAsync<string>(
            "orders",
            (_, _, _) =>
            {
                Interlocked.Increment(ref attempts);
                throw new InvalidOperationException("no");
            },
            configure: static o => o.Retry.InMemory.MaxAttempts = 1);
        await service.SendAsync("orders", "1", "k", 0);

        await Waiting.Until(() => service.Kafka.Groups.Sum(static group => group.Metrics.DeadLetters) == 1, "it is a dead letter");
        attempts.Should().Be(2);
        service.Log.All.Where(static logged => logged.Id == 1020).Should().ContainSingle().Which.Message.Should()
            .Contain("Kafka:Subscriptions:orders:Retry:InMemory:MaxAttempts");
    }

    [Fact]
    public void Without_arguments_the_hosts_configuration_is_read_and_one_service_is_the_producer_too()
    {
        var builder = Host.CreateApplicationBuilder();
        builder.Configuration.AddInMemoryCollection(
            [KeyValuePair.Create("Kafka:ClientId", (string?)"billing"), KeyValuePair.Create("Kafka:Mode", (string?)"Embedded")]);
        builder.Services.AddNaradKafka();
        using var host = builder.Build();

        host.Services.GetRequiredService<IOptions<KafkaOptions>>().Value.ClientId.Should().Be("billing");
        host.Services.GetRequiredService<IKafkaProducer>().Should().BeSameAs(host.Services.GetRequiredService<IKafkaService>());
    }

    [Fact]
    public void A_variable_in_the_hosts_configuration_counts_and_the_section_wins_over_it()
    {
        var builder = Host.CreateApplicationBuilder(["--KAFKA_BROKERS=from-args:9092", "--kafka_topic_orders=shop-orders", "--KAFKA_CLIENT_ID=from-args"]);
        builder.Configuration.AddInMemoryCollection([KeyValuePair.Create("Kafka:ClientId", (string?)"from-section")]);
        builder.Services.AddNaradKafka();
        using var host = builder.Build();

        var options = host.Services.GetRequiredService<IOptions<KafkaOptions>>().Value;

        options.Brokers.Should().Be("from-args:9092");
        options.TopicNames.Should().Contain("orders", "shop-orders");
        options.ClientId.Should().Be("from-section");
    }

    [Fact]
    public void A_variable_in_a_given_configuration_counts_and_that_of_a_given_section_is_an_unknown_setting()
    {
        var configuration = Configuration(("KAFKA_CLIENT_ID", "billing"), ("Kafka:KAFKA_BROKERS", "other:9092"));
        KafkaOptions Options(IConfiguration given)
        {
            using var services = new ServiceCollection().AddNaradKafka(given).Services.BuildServiceProvider();
            var options = new KafkaOptions();
            foreach (var configure in services.GetServices<IConfigureOptions<KafkaOptions>>())
            {
                configure.Configure(options);
            }

            return options;
        }

        Options(configuration).ClientId.Should().Be("billing");
        Options(configuration.GetSection("Kafka")).BindingErrors.Should().ContainMatch("Kafka:KAFKA_BROKERS is no setting*");
    }

    [Fact]
    public async Task A_section_that_no_subscription_uses_is_a_warning_with_the_known_names()
    {
        var log = new LogEvents();
        var builder = Host.CreateApplicationBuilder();
        builder.Logging.ClearProviders().AddProvider(log);
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["Kafka:Mode"] = "Embedded", ["Kafka:Subscriptions:ordes:Parallelism"] = "2", ["Kafka:Subscriptions:orders:Parallelism"] = "3",
                ["Kafka:Subscriptions:late:Parallelism"] = "4",
        });
        builder.Services.AddNaradKafka().AddSubscription<string, Accept>("orders", group: "g");
        using var host = builder.Build();
        await host.StartAsync();

        await Waiting.Until(() => log.All.Count(static logged => logged.Id == 1021) == 2, "both are named");

        var messages = log.All.Where(static logged => logged.Id == 1021).Select(static logged => logged.Message).ToList();
        messages[0].Should().Contain("Kafka:Subscriptions:late").And.Contain("Subscriptions so far: 'orders'").And.NotContain("Did you mean");
        messages[1].Should().Contain("Kafka:Subscriptions:ordes").And.Contain("Did you mean 'orders'?");
        await host.StopAsync();
    }

    private sealed class Accept : IMessageHandler<string>
    {
        public Task HandleAsync(string message, MessageContext context, CancellationToken cancellationToken) => Task.CompletedTask;
    }

    private static SubscriptionOptions Build(
        string topic, Action<SubscriptionOptions>? configure, out IReadOnlyList<string> overruled, params (string Key, string Value)[] settings)
    {
        var options = new KafkaOptions();
        KafkaConfigurationSection.Apply(options, Configuration(settings));
        options.BindingErrors.Should().BeEmpty();
        return SubscriptionSection.Build(options.Subscriptions, topic, configure, out overruled);
    }

    private static IConfiguration Configuration(params (string Key, string Value)[] settings) =>
        new ConfigurationBuilder().AddInMemoryCollection(settings.Select(static one => KeyValuePair.Create(one.Key, (string?)one.Value))).Build();
}
