using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Narad.Kafka.Testing.Tests;

/// <summary>The harness sees what a service does, in time, and says what it saw where it did not.</summary>
public sealed class KafkaHarnessTests(EmbeddedKafka kafka) : IClassFixture<EmbeddedKafka>
{
    private static readonly TimeSpan Brief = TimeSpan.FromMilliseconds(300);

    [Fact]
    public async Task A_message_is_seen_published_and_handled()
    {
        var topic = kafka.CreateTopic();
        var harness = new KafkaHarness();
        await using var service = harness.Create(kafka.CreateOptions());
        var group = await SubscribeAsync(service, topic, (_, _, _) => Task.CompletedTask);

        await service.SendAsync(topic, new Order("1", 10), key: "a");
        await service.SendAsync(topic, new Order("2", 20), key: "b", new SendOptions { Headers = new MessageHeaders().Add("tenant", "x") });

        var published = await harness.WaitForPublishedAsync<Order>(order => order.Id == "2");
        published.Topic.Should().Be(topic);
        published.Headers.GetText("tenant").Should().Be("x");
        var handled = await harness.WaitForHandledAsync<Order>(order => order.Id == "2", topic);
        handled.Should().Match<ObservedMessage<Order>>(seen => seen.Message.Amount == 20 && seen.Key == "b" && seen.Group == group
            && seen.Partition == published.Partition && seen.Offset == published.Offset);
        (await harness.WaitForHandledAsync<Order>(count: 2)).Select(seen => seen.Message.Id).Should().BeEquivalentTo("1", "2");
    }

    [Fact]
    public async Task A_partition_that_stops_is_seen_with_its_reason()
    {
        var topic = kafka.CreateTopic(partitions: 1);
        var harness = new KafkaHarness();
        await using var service = harness.Create(kafka.CreateOptions());
        await SubscribeAsync(service, topic, (_, _, _) => throw new InvalidDataException("not an order"));
        await service.SendAsync(topic, new Order("1", 10));

        var stopped = await harness.WaitForStoppedAsync(topic);
        stopped.Partition.Should().Be(new TopicPartitionId(topic, 0));
        stopped.Offset.Should().Be(0);
        stopped.Reason.ToString().Should().Contain("not an order");
    }

    [Fact]
    public async Task What_does_not_happen_in_time_says_what_was_seen_instead()
    {
        var topic = kafka.CreateTopic(partitions: 1);
        var harness = new KafkaHarness();
        await using var service = harness.Create(kafka.CreateOptions());
        await SubscribeAsync(service, topic, (_, _, _) => throw new InvalidDataException("not an order"));
        await service.SendAsync(topic, new Order("1", 10), key: "a");
        await harness.WaitForStoppedAsync(topic);
        await harness.WaitForPublishedAsync<Order>();

        var timeout = await harness.Awaiting(watch => watch.WaitForHandledAsync<Order>(order => order.Id == "1", topic, Brief)).Should()
            .ThrowAsync<HarnessTimeoutException>();
        timeout.Which.Message.Should().StartWith($"0 of 1 Order that match of topic {topic} were handled within 0.3 s.")
            .And.Contain($"published {topic}[0]@0 key a: Order")
            .And.Contain($"failed {topic}[0]@0 key a: Order Order {{ Id = 1, Amount = 10 }} — InvalidDataException: not an order")
            .And.Contain($"Running, 1 partitions, stopped: {topic}[0]@0 (not an order)");
        await harness.Awaiting(watch => watch.WaitForPublishedAsync<string>(within: Brief)).Should().ThrowAsync<HarnessTimeoutException>()
            .WithMessage("*0 of 1 String were published*");
        await harness.Awaiting(watch => watch.WaitForStoppedAsync("elsewhere", Brief)).Should().ThrowAsync<HarnessTimeoutException>()
            .WithMessage("*No partition of elsewhere stopped*");
    }

    [Fact]
    public async Task A_send_that_fails_is_not_seen_as_published()
    {
        var harness = new KafkaHarness(Brief);
        await using var service = harness.Create(kafka.CreateOptions());
        await service.Init().Awaiting(it => it.SendAsync("t", "text").AsTask()).Should().ThrowAsync<KafkaNotConnectedException>();
        await harness.Awaiting(watch => watch.WaitForPublishedAsync<string>()).Should().ThrowAsync<HarnessTimeoutException>();
    }

    [Fact]
    public async Task What_fails_is_seen_as_retried_each_time_and_then_as_dead_lettered()
    {
        var (topic, group) = (kafka.CreateTopic(), kafka.NewName("group"));
        var harness = new KafkaHarness();
        await using var service = harness.Create(kafka.CreateOptions());
        await service.Init().ConnectProducerAsync();
        await service.ConnectConsumerAsync(group);
        await service.SubscribeAsync<Order>(
            topic,
            static (order, _, _) => throw (order.Id == "retried" ? new TimeoutException("away") : new DeadLetterException("no such customer")),
            configure: static s =>
            {
                s.Retry.Topic.MaxAttempts = 2;
                s.Retry.Topic.Delay = TimeSpan.FromMilliseconds(50);
                s.Retry.Topic.BackoffType = DelayBackoffType.Constant;
            });

        await service.SendAsync(topic, new Order("retried", 1));
        await service.SendAsync(topic, new Order("dead-lettered", 1));

        (await harness.WaitForRetriedAsync(2)).Select(failure => failure.Message.Context.Retry).Should().Equal(0, 1);
        var deadLettered = await harness.WaitForDeadLetteredAsync(failure => failure.Message.Error is DeadLetterException);
        deadLettered.Record.Topic.Should().Be($"{topic}-dlt");
        deadLettered.Due.Should().BeNull();
        var all = await harness.WaitForDeadLetteredAsync(2, topic: topic);
        all.Should()
            .ContainSingle(failure => failure.Message.Context.Retry == 2 && failure.Message.Error is TimeoutException
                && failure.Message.Context.Original.Topic == topic);
        (await harness.Awaiting(watch => watch.WaitForDeadLetteredAsync(topic: "elsewhere", within: Brief)).Should().ThrowAsync<HarnessTimeoutException>())
            .Which.Message.Should().Contain("0 of 1 messages of topic elsewhere were dead-lettered").And.Contain($"  dead-lettered {topic}[");
        await harness.Awaiting(watch => watch.WaitForRetriedAsync(3, within: Brief)).Should().ThrowAsync<HarnessTimeoutException>();
    }

    [Fact]
    public async Task A_harness_without_a_service_says_what_to_do() =>
        await new KafkaHarness().Awaiting(harness => harness.WaitForStoppedAsync("t")).Should().ThrowAsync<InvalidOperationException>()
            .WithMessage("*AddNaradKafkaHarness*");

    [Fact]
    public async Task A_host_s_service_is_watched()
    {
        var topic = kafka.CreateTopic();
        var builder = Host.CreateEmptyApplicationBuilder(settings: null);
        builder.Services.AddNaradKafkaHarness();
        builder.Services.AddNaradKafka(kafka.Apply).AddSubscription<Order, Accept>(topic, kafka.NewName("group"));
        using var host = builder.Build();
        await host.StartAsync();
        var harness = host.Services.GetRequiredService<KafkaHarness>();

        await host.Services.GetRequiredService<IKafkaService>().SendAsync(topic, new Order("1", 10));
        (await harness.WaitForHandledAsync<Order>()).Message.Id.Should().Be("1");
        await harness.Awaiting(watch => watch.WaitForStoppedAsync(topic, Brief)).Should().ThrowAsync<HarnessTimeoutException>()
            .WithMessage("*Running*stopped: none*");
        await host.StopAsync();
    }

    private async Task<string> SubscribeAsync(KafkaService service, string topic, Func<Order, MessageContext, CancellationToken, Task> handler)
    {
        var group = kafka.NewName("group");
        await service.Init().ConnectProducerAsync();
        await service.ConnectConsumerAsync(group);
        await service.SubscribeAsync(topic, handler);
        return group;
    }

    private sealed record Order(string Id, int Amount);

    private sealed class Accept : IMessageHandler<Order>
    {
        public Task HandleAsync(Order message, MessageContext context, CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
