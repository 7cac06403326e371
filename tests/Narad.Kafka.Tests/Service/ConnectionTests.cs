using System.Diagnostics;
using System.Net.Sockets;
using System.Net;
using Narad.Kafka.Shared;

namespace Narad.Kafka.Tests.Service;

/// <summary>What not connected means, and what IsConnected says.</summary>
public sealed class ConnectionTests
{
    private static readonly TimeSpan Noticed = TimeSpan.FromSeconds(5);

    [Theory]
    [InlineData(KafkaMode.Embedded)]
    [InlineData(KafkaMode.Console)]
    [Trait("Promise", "S3")]
    public async Task Before_connecting_and_after_disconnecting_everything_says_not_connected(KafkaMode mode)
    {
        var kafka = new KafkaService(new KafkaOptions { Mode = mode });
        await ExpectNotConnectedAsync(kafka);
        kafka.Init().Should().BeSameAs(kafka);
        await ExpectNotConnectedAsync(kafka);
        await kafka.ConnectProducerAsync();
        await kafka.ConnectConsumerAsync("g");
        await kafka.DisconnectAsync();
        await ExpectNotConnectedAsync(kafka);
        kafka.IsConnected.Should().BeFalse();
        kafka.Completion.IsCompletedSuccessfully.Should().BeTrue();
        FluentActions.Invoking(kafka.Init).Should().Throw<ObjectDisposedException>();
        await FluentActions.Awaiting(() => kafka.ConnectProducerAsync()).Should().ThrowAsync<ObjectDisposedException>();
        await FluentActions.Awaiting(() => kafka.ConnectConsumerAsync("g")).Should().ThrowAsync<ObjectDisposedException>();
    }

    [Fact]
    [Trait("Promise", "S3")]
    [Trait("Trap", "no-word-of-return")]
    public async Task IsConnected_is_false_within_5_s_of_a_brokers_death_and_true_within_5_s_of_its_return()
    {
        using var broker = EmbeddedBroker.Start();
        await using var kafka = new KafkaService(new KafkaOptions { Mode = KafkaMode.Kafka, Brokers = broker.BootstrapServers });
        kafka.IsConnected.Should().BeFalse();
        kafka.Mode.Should().Be(KafkaMode.Kafka);
        await kafka.ConnectProducerAsync();
        kafka.IsConnected.Should().BeTrue();
        broker.StopBroker();
        await Waiting.Until(() => !kafka.IsConnected, "the death noticed", Noticed);
        broker.StartBroker();
        await Waiting.Until(() => kafka.IsConnected, "the return noticed", Noticed);
    }

    [Fact]
    [Trait("Promise", "S3")]
    public async Task In_console_mode_IsConnected_is_false_and_sends_succeed()
    {
        await using var kafka = new KafkaService(new KafkaOptions { Mode = KafkaMode.Console }, new LogEvents());
        await kafka.ConnectProducerAsync();
        await kafka.ConnectConsumerAsync("g");
        kafka.IsConnected.Should().BeFalse();
        (await kafka.SendAsync("test-topic", "x")).Should().Be(new SendResult("test-topic", -1, -1));
        var subscription = await kafka.SubscribeAsync<string>("test-topic", (_, _, _) => Task.CompletedTask);
        subscription.State.Should().Be(SubscriptionState.Running);
        kafka.IsConnected.Should().BeFalse();
    }

    [Fact]
    public async Task An_unreachable_broker_fails_connecting_within_the_timeout_and_a_second_try_may_succeed()
    {
        using var broker = EmbeddedBroker.Start();
        broker.StopBroker();
        await using var kafka = new KafkaService(
            new KafkaOptions { Mode = KafkaMode.Kafka, Brokers = broker.BootstrapServers, ConnectTimeout = TimeSpan.FromSeconds(1) });
        using var stalls = new Stalls();
        var watch = Stopwatch.StartNew();
        var failure = await FluentActions.Awaiting(() => kafka.ConnectProducerAsync()).Should().ThrowAsync<KafkaConnectionException>();
        watch.Elapsed.Should().BeLessThan(TimeSpan.FromSeconds(6) + stalls.Allowance);
        failure.Which.Message.Should().Contain(broker.BootstrapServers).And.Contain("KAFKA_BROKERS").And.Contain("Check host and port");
        broker.StartBroker();
        await kafka.ConnectProducerAsync();
        kafka.IsConnected.Should().BeTrue();
    }

    [Fact]
    public async Task Auto_outside_of_Development_throws_rather_than_fall_back()
    {
        await using var kafka = new KafkaService(
            new KafkaOptions { Brokers = Nobody(), Environment = "Production", ConnectTimeout = TimeSpan.FromMilliseconds(300) });
        await FluentActions.Awaiting(() => kafka.ConnectProducerAsync()).Should().ThrowAsync<KafkaConnectionException>();
        kafka.Mode.Should().Be(KafkaMode.Auto, "it was not decided");
    }

    [Fact]
    public async Task Auto_in_Development_is_decided_once()
    {
        using var broker = EmbeddedBroker.Start();
        broker.StopBroker();
        var log = new LogEvents();
        await using var kafka = new KafkaService(
            new KafkaOptions { Brokers = broker.BootstrapServers, Environment = "Development", ConnectTimeout = TimeSpan.FromMilliseconds(500) }, log);
        await kafka.ConnectProducerAsync();
        kafka.Mode.Should().Be(KafkaMode.Console);
        log.The(1008).Message.Should().Contain(broker.BootstrapServers);
        broker.StartBroker();
        await kafka.ConnectConsumerAsync("g");
        kafka.Mode.Should().Be(KafkaMode.Console, "it never switches later");
        log.Count(1008).Should().Be(1);
    }

    [Fact]
    public async Task Connecting_and_disconnecting_from_fifty_threads_is_one_connect_and_one_report()
    {
        var log = new LogEvents();
        var kafka = new KafkaService(new KafkaOptions { Mode = KafkaMode.Embedded }, log);
        await Parallel.ForAsync(0, 50, async (_, _) =>
        {
            await kafka.Init().ConnectProducerAsync(CancellationToken.None);
            await kafka.ConnectConsumerAsync("g", CancellationToken.None);
        });
        await kafka.ConnectProducerAsync();
        log.Count(1000).Should().Be(1);
        log.Count(1001).Should().Be(1);
        log.Count(1002).Should().Be(1);
        await kafka.SendAsync("t", "x");
        var reports = await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => Task.Run(() => kafka.DisconnectAsync())));
        reports.Should().OnlyContain(report => ReferenceEquals(report, reports[0]));
        await kafka.DisposeAsync();
        await kafka.DisposeAsync();
        log.Count(1003).Should().Be(1);
    }

    [Fact]
    public async Task Disconnecting_ends_what_is_still_connecting()
    {
        var kafka = new KafkaService(new KafkaOptions { Mode = KafkaMode.Kafka, Brokers = Nobody(), ConnectTimeout = TimeSpan.FromMinutes(5) });
        var connecting = kafka.ConnectProducerAsync();
        await kafka.DisconnectAsync().WaitAsync(TimeSpan.FromSeconds(10));
        await FluentActions.Awaiting(() => connecting).Should().ThrowAsync<KafkaNotConnectedException>();
    }

    [Fact]
    public async Task Cancelling_ends_the_waiting_and_not_the_connecting()
    {
        using var broker = EmbeddedBroker.Start();
        await using var kafka = new KafkaService(new KafkaOptions { Mode = KafkaMode.Kafka, Brokers = broker.BootstrapServers });
        using var cancelled = new CancellationTokenSource();
        await cancelled.CancelAsync();
        await FluentActions.Awaiting(() => kafka.ConnectProducerAsync(cancelled.Token)).Should().ThrowAsync<OperationCanceledException>();
        await kafka.ConnectProducerAsync();
        kafka.IsConnected.Should().BeTrue();
    }

    [Fact]
    public async Task A_subscription_made_during_an_outage_waits_for_the_broker()
    {
        using var broker = EmbeddedBroker.Start();
        await using var kafka = new KafkaService(
            new KafkaOptions { Mode = KafkaMode.Embedded, EmbeddedBroker = broker, ConnectTimeout = TimeSpan.FromSeconds(1) });
        await kafka.ConnectProducerAsync();
        await kafka.ConnectConsumerAsync("g");
        broker.StopBroker();
        var handled = new TaskCompletionSource<string>();
        var subscribing = kafka.SubscribeAsync<string>("orders", (message, _, _) =>
        {
            handled.TrySetResult(message);
            return Task.CompletedTask;
        });
        await Waiting.Until(() => subscribing.IsCompleted || kafka.Subscriptions.Count == 1, "subscribing");
        broker.StartBroker();
        await subscribing.WaitAsync(Waiting.Deadline);
        await kafka.SendAsync("orders", "x");
        (await handled.Task.WaitAsync(Waiting.Deadline)).Should().Be("x");
    }

    internal static string Nobody()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return $"127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}";
    }

    private static async Task ExpectNotConnectedAsync(KafkaService kafka)
    {
        Func<Task>[] uses =
        [
            () => kafka.SendAsync("t", "x").AsTask(),
            () => kafka.SendAsync("t", new { A = 1 }).AsTask(),
            () => kafka.SendTombstoneAsync("t", "k").AsTask(),
            () => kafka.SendManyAsync("t", ["x"]),
            () => kafka.SubscribeAsync<string>("t", (_, _, _) => Task.CompletedTask),
            () => kafka.SubscribeAsync<string>("t", (_, _, _) => Task.CompletedTask, group: "g"),
            () => kafka.SubscribeBatchAsync<string>("t", (_, _) => Task.CompletedTask),
        ];
        foreach (var use in uses)
        {
            (await FluentActions.Awaiting(use).Should().ThrowAsync<KafkaNotConnectedException>()).Which.Message.Should().Contain("not connected");
        }
    }
}
