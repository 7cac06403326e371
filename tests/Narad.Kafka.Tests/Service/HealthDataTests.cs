using Microsoft.Extensions.Diagnostics.HealthChecks;
using Narad.Kafka.Diagnostics;

namespace Narad.Kafka.Tests.Service;

/// <summary>What the health check tells beside its status.</summary>
public sealed class HealthDataTests
{
    [Fact]
    public async Task The_brokers_are_those_in_use()
    {
        await using var service = await EmbeddedService.StartAsync();
        (await CheckAsync(service.Kafka)).Data["brokers"].Should().Be(service.Broker.BootstrapServers, "and not the default of the settings");
    }

    [Fact]
    public async Task Dead_letters_are_told_when_they_were_counted()
    {
        await using var service = await EmbeddedService.StartAsync();
        await service.Kafka.SubscribeAsync<string>("orders", (_, _, _) => throw new InvalidOperationException("no"), configure: subscription =>
            subscription.DeadLetter.Enabled = true);
        await service.SendAsync("orders", "x");
        await Waiting.Until(() => service.Log.Count(3015) == 1, "a dead letter");

        (await CheckAsync(service.Kafka)).Data["deadLetters"].Should().Be("not counted yet");

        await Waiting.Until(() => service.Kafka.DeadLetterCounts is { HasCounted: true }, "counted in the background");
        (await CheckAsync(service.Kafka)).Data["deadLetters"].Should().Be(1L);
    }

    [Fact]
    public async Task A_paused_subscription_is_healthy_and_told()
    {
        await using var service = await EmbeddedService.StartAsync();
        service.Broker.CreateTopic("orders", 3);
        var subscription = await service.Kafka.SubscribeAsync<string>("orders", (_, _, _) => Task.CompletedTask);
        await Waiting.Until(() => subscription.Assignment.Count == 3, "all partitions");
        (await CheckAsync(service.Kafka)).Data["paused"].Should().Be(0);

        await subscription.PauseAsync(new TopicPartitionId("orders", 1));
        await Waiting.Until(() => subscription.PausedPartitions.Count == 1, "one is paused");
        var one = await CheckAsync(service.Kafka);
        await subscription.PauseAllAsync();
        await Waiting.Until(() => subscription.PausedPartitions.Count == 3, "all are paused");
        var all = await CheckAsync(service.Kafka);

        (one.Status, one.Data["paused"]).Should().Be((HealthStatus.Healthy, 1));
        one.Description.Should().Contain("1 of 3 partitions of 'orders' in group 'g' are paused by name");
        (all.Status, all.Data["paused"]).Should().Be((HealthStatus.Healthy, 3));
        all.Description.Should().Contain("all partitions of 'orders' in group 'g' are paused by name");
    }

    [Fact]
    public async Task A_message_that_is_too_large_is_refused_with_the_settings_value()
    {
        await using var service = await EmbeddedService.StartAsync(options => options.MaxMessageBytes = 2_000);

        var failure = (await service.Awaiting(it => it.SendAsync("orders", new string('x', 3_000))).Should().ThrowAsync<KafkaSendException>()).Which;

        failure.Message.Should().Contain("Kafka:MaxMessageBytes is 2000").And.Contain("max.message.bytes");
    }

    [Fact]
    public async Task Two_handlers_of_one_topic_and_group_are_both_named()
    {
        await using var service = await EmbeddedService.StartAsync();
        await service.Kafka.SubscribeAsync<string>("orders", HandleAsync);

        var second = () => service.Kafka.SubscribeAsync<string>("orders", (_, _, _) => Task.CompletedTask);

        (await second.Should().ThrowAsync<InvalidOperationException>()).Which.Message.Should()
            .Contain($"{nameof(HealthDataTests)}.{nameof(HandleAsync)}")
            .And.Contain($"a lambda in {nameof(HealthDataTests)}.{nameof(Two_handlers_of_one_topic_and_group_are_both_named)}");
    }

    private static Task HandleAsync(string message, MessageContext context, CancellationToken cancellationToken) => Task.CompletedTask;

    private static Task<HealthCheckResult> CheckAsync(KafkaService kafka) =>
        new KafkaHealthCheck(kafka)
            .CheckHealthAsync(
                new HealthCheckContext { Registration = new HealthCheckRegistration("kafka", new KafkaHealthCheck(kafka), failureStatus: null, tags: null) });
}
