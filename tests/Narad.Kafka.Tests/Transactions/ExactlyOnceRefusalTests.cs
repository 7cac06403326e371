using Narad.Kafka.Tests.Consuming;

namespace Narad.Kafka.Tests.Transactions;

/// <summary>What exactly once cannot be had with is refused when the subscription starts, and says what to do.</summary>
public sealed class ExactlyOnceRefusalTests(KafkaTestBroker broker) : IClassFixture<KafkaTestBroker>
{
    public static TheoryData<string, Action<SubscriptionOptions>> Refused => new()
    {
        { "*retry topic*InMemory*", s => { s.ExactlyOnce.Enabled = true; s.Retry.Topic.MaxAttempts = 3; } },
        { "*CircuitBreaker*", s => { s.ExactlyOnce.Enabled = true; s.CircuitBreaker.Enabled = true; } },
        { "*TimeLimit*TransactionTimeout*", s =>
        {
            s.ExactlyOnce.Enabled = true;
            s.ExactlyOnce.TransactionTimeout = TimeSpan.FromSeconds(10);
            s.ExactlyOnce.TimeLimit = TimeSpan.FromSeconds(10);
        } },
    };

    [SkippableTheory]
    [MemberData(nameof(Refused))]
    [Trait("Promise", "S27")]
    public async Task What_it_cannot_be_had_with_is_refused(string reason, Action<SubscriptionOptions> configure)
    {
        await using var kafka = await broker.StartAsync(broker.NewGroup());

        var subscribing = () => kafka.SubscribeAsync<string>("orders", (_, _, _) => Task.CompletedTask, configure: configure);

        (await subscribing.Should().ThrowAsync<KafkaConfigurationException>()).WithMessage(reason);
        kafka.Subscriptions.Should().BeEmpty();
    }

    [SkippableFact]
    [Trait("Promise", "S27")]
    public async Task A_group_is_one_or_the_other_and_its_subscriptions_share_their_options()
    {
        var topics = new[] { await broker.CreateTopicAsync(1), await broker.CreateTopicAsync(1), await broker.CreateTopicAsync(1) };
        await using var kafka = await broker.StartAsync(broker.NewGroup());
        await kafka.SubscribeAsync<string>(topics[0], (_, _, _) => Task.CompletedTask, configure: s => s.ExactlyOnce.Enabled = true);

        var without = () => kafka.SubscribeAsync<string>(topics[1], (_, _, _) => Task.CompletedTask);
        var other = () => kafka.SubscribeAsync<string>(topics[1], (_, _, _) => Task.CompletedTask, configure: s =>
        {
            s.ExactlyOnce.Enabled = true;
            s.ExactlyOnce.MaxMessages = 7;
        });

        (await without.Should().ThrowAsync<KafkaConfigurationException>()).WithMessage("*one or the other*");
        (await other.Should().ThrowAsync<KafkaConfigurationException>()).WithMessage("*other ExactlyOnce options*");
        await kafka.SubscribeAsync<string>(topics[2], (_, _, _) => Task.CompletedTask, configure: s => s.ExactlyOnce.Enabled = true);
    }

    [Theory]
    [InlineData(KafkaMode.Embedded)]
    [InlineData(KafkaMode.Console)]
    [Trait("Promise", "S27")]
    public async Task Only_real_Kafka_has_transactions(KafkaMode mode)
    {
        await using var kafka = new KafkaService(new KafkaOptions { Mode = mode, Environment = "Development" });
        await kafka.ConnectConsumerAsync("billing");

        var subscribing = () => kafka.SubscribeAsync<string>("orders", (_, _, _) => Task.CompletedTask, configure: s => s.ExactlyOnce.Enabled = true);

        (await subscribing.Should().ThrowAsync<NotSupportedException>()).WithMessage($"*{mode} mode*KafkaMode.Kafka*");
    }

    [Fact]
    [Trait("Promise", "S27")]
    public void Event_Hubs_takes_no_part_in_it() => Kafka.Transactions.ExactlyOnceRules
        .Check(new SubscriptionOptions { ExactlyOnce = { Enabled = true } }, "orders", KafkaMode.Kafka,
            new KafkaOptions { Brokers = "shop.servicebus.windows.net:9093" })
        .Should().ContainSingle().Which.Should().Contain("Event Hubs");
}
