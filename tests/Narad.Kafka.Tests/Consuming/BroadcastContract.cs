using System.Collections.Concurrent;
using System.Reflection;
using Confluent.Kafka;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Narad.Kafka.Consuming;
using Narad.Kafka.Tests.Service;
using HealthReport = Narad.Kafka.Tests.Service.HealthReport;

namespace Narad.Kafka.Tests.Consuming;

/// <summary>
/// Every instance receives every message that is sent after it subscribed, whatever happens to topic, broker and client; no group is left behind.
/// </summary>
public abstract class BroadcastContract<TBroker>(TBroker broker) : IClassFixture<TBroker>
    where TBroker : TestBroker
{
    [SkippableFact]
    public async Task Every_instance_receives_every_message_that_is_sent_after_it_subscribed()
    {
        var topic = await broker.CreateTopicAsync(3);
        await broker.SendAsync(topic, 1, 10);
        await using var first = new Instance(broker);
        await using var second = new Instance(broker);
        await Task.WhenAll(first.SubscribeAsync(topic), second.SubscribeAsync(topic));

        for (var partition = 0; partition < 3; partition++)
        {
            await broker.SendAsync(topic, partition, 20, from: 100 * partition);
        }

        var sent = Enumerable.Range(0, 3).SelectMany(partition => Enumerable.Range(100 * partition, 20)).Select(static n => $"{n}").Order().ToList();
        await first.ReceivesAsync(60);
        await second.ReceivesAsync(60);
        first.Received.Order().Should().Equal(sent);
        second.Received.Order().Should().Equal(sent);
        first.Subscription.Assignment.Should().HaveCount(3);
        first.Subscription.State.Should().Be(SubscriptionState.Running);
    }

    [SkippableFact]
    public async Task Nothing_is_committed_and_no_group_is_left_at_the_broker()
    {
        var topic = await broker.CreateTopicAsync(1);
        var name = RealKafka.NewName("app");
        var instance = new Instance(broker, options => options.ClientId = name);
        await instance.SubscribeAsync(topic);
        await broker.SendAsync(topic, 0, 50);
        await instance.ReceivesAsync(50);
        var group = instance.Subscription.Group;
        await instance.DisposeAsync();

        group.Should().Be($"{name}-broadcast");
        broker.Committed(group, topic, 0).Should().Be(-1);
        if (broker is KafkaTestBroker)
        {
            using var admin = new AdminClientBuilder(new AdminClientConfig { BootstrapServers = broker.Brokers }).SetLogHandler((_, _) => { }).Build();
            admin.ListGroups(TimeSpan.FromSeconds(20)).Select(static found => found.Group).Should().NotContain(group);
        }
    }

    [SkippableFact]
    public async Task From_the_first_message_it_has_caught_up_when_what_was_there_is_handled_and_not_before()
    {
        var topic = await broker.CreateTopicAsync(2);
        await broker.SendAsync(topic, 0, 40);
        await broker.SendAsync(topic, 1, 10, from: 40);
        var release = new TaskCompletionSource();
        await using var instance = new Instance(broker) { Handling = message => message == "39" ? release.Task : Task.CompletedTask };
        await instance.SubscribeAsync(topic, o => o.StartPosition = StartPosition.Earliest);
        var caughtUp = instance.Subscription.UntilCaughtUpAsync();
        await instance.ReceivesAsync(49);
        caughtUp.IsCompleted.Should().BeFalse("a message is being handled");
        await instance.Subscription.Awaiting(it => it.UntilCaughtUpAsync(new CancellationToken(canceled: true))).Should()
            .ThrowAsync<OperationCanceledException>();

        release.SetResult();

        await caughtUp.WaitAsync(Waiting.Deadline);
        instance.Received.Should().HaveCount(50);
    }

    [SkippableFact]
    public async Task From_a_time_it_handles_what_was_sent_since_and_catches_up()
    {
        var topic = await broker.CreateTopicAsync(1);
        var noon = DateTimeOffset.UtcNow.AddHours(-1);
        for (var n = 0; n < 10; n++)
        {
            await broker.SendRawAsync(topic, 0, new Message<byte[]?, byte[]?>
            {
                Value = System.Text.Encoding.UTF8.GetBytes($"{n}"),
                Timestamp = new Timestamp(noon.AddMinutes(n - 6)),
            });
        }

        await using var instance = new Instance(broker);
        await instance.SubscribeAsync(topic, o => o.StartTime = noon);
        await instance.Subscription.UntilCaughtUpAsync().WaitAsync(Waiting.Deadline);
        instance.Received.Should().BeEquivalentTo("6", "7", "8", "9");

        await using var later = new Instance(broker);
        await later.SubscribeAsync(topic, o => o.StartTime = DateTimeOffset.UtcNow);
        await later.Subscription.UntilCaughtUpAsync().WaitAsync(Waiting.Deadline);
        await broker.SendAsync(topic, 0, 1, from: 10);
        await later.ReceivesAsync(1);
        later.Received.Should().Equal("10");
    }

    [SkippableFact]
    public async Task A_handler_that_fails_is_repeated_in_memory_then_the_message_is_given_up_logged_and_counted()
    {
        var topic = await broker.CreateTopicAsync(1);
        var attempts = 0;
        await using var instance = new Instance(broker);
        instance.Handling = message => message is "1" ? Fail(ref attempts) : message is "2" ? throw new DeadLetterException("not for me") : Task.CompletedTask;
        await instance.SubscribeAsync(topic, o =>
        {
            o.Retry.InMemory.MaxAttempts = 2;
            o.Retry.InMemory.Delay = TimeSpan.FromMilliseconds(1);
        });
        await broker.SendAsync(topic, 0, 5, key: _ => "same");

        await instance.ReceivesAsync(3);
        instance.Received.Should().Equal("0", "3", "4");
        attempts.Should().Be(3);
        instance.Log.Count(3091).Should().Be(2);
        instance.Log.All.First(line => line.Id == 3091).Message.Should().Contain(topic).And.Contain("offset 1");
        instance.Kafka.Groups.Single().Metrics.BroadcastFailures.Should().Be(2);
        instance.Subscription.StoppedPartitions.Should().BeEmpty();
    }

    [SkippableFact]
    public async Task A_message_that_the_policy_skips_is_no_failure()
    {
        var topic = await broker.CreateTopicAsync(1);
        await using var instance = new Instance(broker);
        instance.Handling = static message => message is "1" ? throw new FormatException("skipped") : Task.CompletedTask;
        await instance.SubscribeAsync(topic, static o => o.Retry.ExceptionActions[typeof(FormatException)] = FailureAction.Skip);
        await broker.SendAsync(topic, 0, 3);

        await instance.ReceivesAsync(2);
        instance.Received.Should().BeEquivalentTo("0", "2");
        var metrics = instance.Kafka.Groups.Single().Metrics;
        await Waiting.Until(() => metrics.SkipsByPolicy == 1, "it is skipped");   // of another key: the third message may be handled before it
        metrics.BroadcastFailures.Should().Be(0);
        instance.Log.Count(3091).Should().Be(0);
    }

    [SkippableFact]
    public async Task What_cannot_be_deserialized_is_given_up_and_the_next_one_follows()
    {
        var topic = await broker.CreateTopicAsync(1);
        var received = new ConcurrentQueue<int>();
        await using var instance = new Instance(broker);
        await instance.Kafka.SubscribeBroadcastAsync<Number>(topic, (number, _, _) =>
        {
            received.Enqueue(number.Value);
            return Task.CompletedTask;
        });
        await broker.SendAsync(topic, 0, [("k", "no json"), ("k", """{"value":7}""")]);
        await Waiting.Until(() => received.Count == 1, "the next one is handled");
        received.Should().Equal(7);
        instance.Log.Count(3091).Should().Be(1);
    }

    [SkippableFact]
    public async Task A_topic_that_is_deleted_and_created_again_is_read_from_its_first_message()
    {
        var topic = await broker.CreateTopicAsync(1);
        await broker.SendAsync(topic, 0, 5);
        await using var instance = new Instance(broker);
        await instance.SubscribeAsync(topic);
        await broker.SendAsync(topic, 0, 5, from: 5);
        await instance.ReceivesAsync(5);

        await broker.RecreateTopicAsync(topic, 1);
        await broker.SendAsync(topic, 0, 20, from: 100);

        await Waiting.Until(() => instance.Received.Distinct().Count() == 25, "all of the new topic are received");
        instance.Received.Take(5).Order().Should().Equal("5", "6", "7", "8", "9");
    }

    [SkippableFact]
    public async Task Where_retention_overtook_it_it_continues_at_the_first_message_that_is_left_and_counts_it()
    {
        var topic = await broker.CreateTopicAsync(1);
        await using var instance = new Instance(broker);
        await instance.SubscribeAsync(topic);
        await instance.Subscription.PauseAllAsync();   // as a process that was asleep
        await broker.SendAsync(topic, 0, 400);
        await broker.DeleteRecordsAsync(topic, 0, 390);

        await instance.Subscription.ResumeAllAsync();

        await instance.ReceivesAsync(10);
        instance.Received.Order().Should().Equal(Enumerable.Range(390, 10).Select(static n => $"{n}").Order());
        instance.Kafka.Groups.Single().Metrics.Resets.Should().Be(1);
        instance.Subscription.StoppedPartitions.Should().BeEmpty();
    }

    [SkippableFact]
    public async Task A_client_that_failed_for_good_is_replaced_and_the_next_one_continues_where_it_was()
    {
        var topic = await broker.CreateTopicAsync(2);
        await using var instance = new Instance(broker);
        await instance.SubscribeAsync(topic);
        await broker.SendAsync(topic, 0, 30);
        await instance.ReceivesAsync(30);

        var loop = instance.Kafka.Groups.Single().Loop!;
        typeof(PollLoop).GetField("_fatal", BindingFlags.Instance | BindingFlags.NonPublic)!.SetValue(loop, new Error(ErrorCode.Local_Fatal, "by the test"));
        await Waiting.Until(() => instance.Log.All.Any(static line => line.Message.Contains("by the test")), "the failure is noticed");
        await broker.SendAsync(topic, 0, 30, from: 30);
        await broker.SendAsync(topic, 1, 30, from: 60);

        await instance.ReceivesAsync(90);
        instance.Received.Distinct().Order().Should().Equal(Enumerable.Range(0, 90).Select(static n => $"{n}").Order());
        instance.Received.Skip(60).Should().Contain("89").And.NotContain("0", "it does not start again");
        instance.Subscription.State.Should().Be(SubscriptionState.Running);
    }

    [SkippableFact]
    public async Task A_slow_handler_holds_up_its_partition_only_and_a_shutdown_finishes_what_runs()
    {
        var topic = await broker.CreateTopicAsync(2);
        await using var instance = new Instance(broker, options => options.MaxBufferedMessages = 50);
        var (entered, release) = (new TaskCompletionSource(), new TaskCompletionSource());
        instance.Handling = message =>
        {
            if (message != "0")
            {
                return Task.CompletedTask;
            }

            entered.TrySetResult();
            return release.Task;
        };
        await instance.SubscribeAsync(topic, o => o.Order = MessageOrder.ByPartition);
        await broker.SendAsync(topic, 0, 100);
        await entered.Task.WaitAsync(Waiting.Deadline);
        await broker.SendAsync(topic, 1, 200, from: 1000);
        await instance.ReceivesAsync(200);
        instance.Subscription.BufferedMessages.Should().BeLessThanOrEqualTo(50);

        var loop = instance.Kafka.Groups.Single().Loop!;
        var stopping = instance.Kafka.DisconnectAsync();
        await Waiting.Until(() => loop.IsStopping, "nothing more is started");
        release.SetResult();
        var report = await stopping.WaitAsync(Waiting.Deadline);

        report.Abandoned.Should().BeEmpty();
        instance.Received.Should().HaveCount(201).And.Contain("0");
        instance.Subscription.State.Should().Be(SubscriptionState.Ended);
    }

    [SkippableFact]
    public async Task One_that_was_stopped_leaves_the_others_alone_and_a_new_one_receives_what_is_sent_from_then_on()
    {
        var (topic, other) = (await broker.CreateTopicAsync(1), await broker.CreateTopicAsync(1));
        await using var instance = new Instance(broker);
        await instance.SubscribeAsync(topic, o => o.StartPosition = StartPosition.Earliest);
        var others = new ConcurrentQueue<string>();
        await instance.Kafka.SubscribeBroadcastAsync<string>(other, (message, _, _) => Add(others, message));
        await instance.Subscription.StopAsync().WaitAsync(Waiting.Deadline);
        await instance.Subscription.UntilCaughtUpAsync();
        await broker.SendAsync(topic, 0, 5);

        var again = new ConcurrentQueue<string>();
        await instance.Kafka.SubscribeBroadcastAsync<string>(topic, (message, _, _) => Add(again, message));
        await broker.SendAsync(topic, 0, 5, from: 5);
        await broker.SendAsync(other, 0, 5);

        await Waiting.Until(() => again.Count >= 5 && others.Count >= 5, "both receive");
        again.Order().Should().Equal("5", "6", "7", "8", "9");
        others.Order().Should().Equal("0", "1", "2", "3", "4");
        instance.Received.Should().BeEmpty();
    }

    [SkippableFact]
    public async Task Two_subscriptions_to_one_topic_both_receive_everything_and_share_the_process_with_a_group()
    {
        var topic = await broker.CreateTopicAsync(2);
        await using var instance = new Instance(broker);
        var second = new ConcurrentQueue<string>();
        var group = new ConcurrentQueue<string>();
        await instance.Kafka.ConnectConsumerAsync(broker.NewGroup());
        await Task.WhenAll(
            instance.SubscribeAsync(topic),
            instance.Kafka.SubscribeBroadcastAsync<string>(topic, (message, _, _) => Add(second, message)),
            instance.Kafka.SubscribeAsync<string>(topic, (message, _, _) => Add(group, message)));
        await broker.SendAsync(topic, 0, 10);
        await broker.SendAsync(topic, 1, 10, from: 10);

        await Waiting.Until(() => second.Count >= 20 && group.Count >= 20 && instance.Received.Count >= 20, "all receive everything");
        var sent = Enumerable.Range(0, 20).Select(static n => $"{n}").Order().ToList();
        instance.Received.Order().Should().Equal(sent);
        second.Order().Should().Equal(sent);
        group.Order().Should().Equal(sent);
        (await HealthReport.OfAsync(instance.Kafka)).Status.Should().Be(HealthStatus.Healthy);
    }

    [SkippableFact]
    public async Task A_host_that_waits_for_its_cache_starts_with_everything_in_it()
    {
        var topic = await broker.CreateTopicAsync(2);
        await broker.SendAsync(topic, 0, 50);
        await broker.SendAsync(topic, 1, 50, from: 50);
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings { EnvironmentName = "Test" });
        builder.Services.AddSingleton<Cache>();
        var wanted = broker.Options();
        builder.Services.AddNaradKafka(options =>
        {
            (options.Mode, options.Brokers, options.EmbeddedBroker) = (wanted.Mode, wanted.Brokers, wanted.EmbeddedBroker);
        }).AddBroadcastSubscription<string, Cache>(topic, o => o.StartPosition = StartPosition.Earliest, waitUntilCaughtUp: true);
        using var host = builder.Build();

        await host.StartAsync();

        host.Services.GetRequiredService<Cache>().Messages.Should().HaveCount(100);
        await broker.SendAsync(topic, 0, 1, from: 100);
        await Waiting.Until(() => host.Services.GetRequiredService<Cache>().Messages.Count == 101, "the cache is kept up to date");
        await host.StopAsync();
    }

    private static Task Fail(ref int attempts)
    {
        Interlocked.Increment(ref attempts);
        throw new InvalidOperationException("broken");
    }

    private static Task Add(ConcurrentQueue<string> to, string message)
    {
        to.Enqueue(message);
        return Task.CompletedTask;
    }

    private sealed record Number(int Value);

    private sealed class Cache : IMessageHandler<string>
    {
        public ConcurrentQueue<string> Messages { get; } = new();

        public Task HandleAsync(string message, MessageContext context, CancellationToken cancellationToken) => Add(Messages, message);
    }

    /// <summary>One process, as far as broadcasts are concerned.</summary>
    protected sealed class Instance : IAsyncDisposable
    {
        private readonly ConcurrentQueue<string> _received = new();

        public Instance(TestBroker broker, Action<KafkaOptions>? configure = null) => Kafka = new KafkaService(broker.Options(configure), Log);

        internal LogEvents Log { get; } = new();

        public KafkaService Kafka { get; }

        public IBroadcastSubscription Subscription { get; private set; } = null!;

        /// <summary>What has to be done before a message counts as received.</summary>
        public Func<string, Task> Handling { get; set; } = static _ => Task.CompletedTask;

        public IReadOnlyList<string> Received => [.. _received];

        public async Task SubscribeAsync(string topic, Action<SubscriptionOptions>? configure = null) =>
            Subscription = await Kafka.SubscribeBroadcastAsync<string>(topic, async (message, _, _) =>
            {
                await Handling(message);
                _received.Enqueue(message);
            }, configure);

        public Task ReceivesAsync(int count) => Waiting.Until(() => _received.Count >= count, $"{count} are received");

        public ValueTask DisposeAsync() => Kafka.DisposeAsync();
    }
}

public sealed class BroadcastOnEmbedded(EmbeddedTestBroker broker) : BroadcastContract<EmbeddedTestBroker>(broker)
{
    [Fact]
    public async Task A_broker_that_was_gone_is_read_on_from_where_it_was_left()
    {
        using var own = new EmbeddedTestBroker();
        var topic = await own.CreateTopicAsync(2);
        await using var instance = new Instance(own);
        await instance.SubscribeAsync(topic);
        await own.SendAsync(topic, 0, 20);
        await instance.ReceivesAsync(20);

        own.Broker.StopBroker();
        await Waiting.Until(() => !instance.Kafka.IsConnected, "it is noticed");
        own.Broker.StartBroker();
        await own.SendAsync(topic, 0, 20, from: 20);
        await own.SendAsync(topic, 1, 20, from: 40);

        await instance.ReceivesAsync(60);
        instance.Received.Order().Should().Equal(Enumerable.Range(0, 60).Select(static n => $"{n}").Order());
    }

    [Fact]
    public async Task A_service_that_starts_without_a_broker_subscribes_when_there_is_one()
    {
        using var own = new EmbeddedTestBroker();
        var topic = await own.CreateTopicAsync(1);
        own.Broker.StopBroker();
        await using var instance = new Instance(own, options =>
        {
            (options.Mode, options.Brokers, options.StartWithoutBroker) = (KafkaMode.Kafka, own.Brokers, true);
            options.ConnectTimeout = TimeSpan.FromSeconds(1);
        });
        var subscribing = instance.SubscribeAsync(topic);
        await Waiting.Until(() => instance.Kafka.Subscriptions.Count == 1, "it waits");
        subscribing.IsCompleted.Should().BeFalse();

        own.Broker.StartBroker();
        await subscribing.WaitAsync(Waiting.Deadline);
        await own.SendAsync(topic, 0, 3);
        await instance.ReceivesAsync(3);
    }

    // The broker drops what is beyond 5 MiB of a partition.
    [Fact]
    public async Task Sends_wait_for_a_broadcast_handler_that_is_behind_so_that_nothing_is_dropped()
    {
        using var own = new EmbeddedTestBroker();
        var topic = await own.CreateTopicAsync(1);
        var release = new TaskCompletionSource();
        await using var instance = new Instance(own) { Handling = _ => release.Task };
        await instance.SubscribeAsync(topic);
        await instance.Kafka.ConnectProducerAsync();
        var body = new string('x', 200_000);
        var sending = Task.WhenAll(Enumerable.Range(0, 50).Select(n => instance.Kafka.SendAsync(topic, body + n).AsTask()));
        await Waiting.Until(() => instance.Subscription.BufferedMessages > 0, "the first are there");

        release.SetResult();

        await sending.WaitAsync(Waiting.Deadline);
        await instance.ReceivesAsync(50);
        instance.Received.Distinct().Should().HaveCount(50);
    }

    [Fact]
    public async Task What_no_broadcast_has_is_refused_with_all_errors_at_once()
    {
        using var own = new EmbeddedTestBroker();
        await using var kafka = new KafkaService(own.Options());
        var refused = await kafka.Awaiting(it => it.SubscribeBroadcastAsync<string>("t", (_, _, _) => Task.CompletedTask, o =>
        {
            o.DeadLetter.Enabled = true;
            o.Retry.PreserveKeyOrder = true;
            o.Once.Enabled = true;
            o.StartPosition = StartPosition.Stop;
            o.StartTime = DateTimeOffset.UtcNow;
            o.OnUnhandled = UnhandledPolicy.StopHost;
        })).Should().ThrowAsync<KafkaConfigurationException>();
        refused.Which.Errors.Should().HaveCountGreaterThanOrEqualTo(6).And.OnlyContain(error => error.Contains("'t'"));
        await kafka.Awaiting(it => it.SubscribeBroadcastAsync<string>("^t", (_, _, _) => Task.CompletedTask)).Should().ThrowAsync<ArgumentException>()
            .WithMessage("*pattern*");
        await kafka.ConnectConsumerAsync("g");
        (await kafka.Awaiting(it => it.SubscribeAsync<string>("t", (_, _, _) => Task.CompletedTask, configure: o => o.StartTime = DateTimeOffset.UtcNow))
            .Should().ThrowAsync<KafkaConfigurationException>()).WithMessage("*StartTime*broadcast*");
        kafka.Subscriptions.Should().BeEmpty();
    }

    [Fact]
    public async Task In_console_mode_it_is_logged_and_has_caught_up()
    {
        var log = new LogEvents();
        await using var kafka = new KafkaService(new KafkaOptions { Mode = KafkaMode.Console }, log);
        var subscription = await kafka.SubscribeBroadcastAsync<string>("chat", (_, _, _) => Task.CompletedTask, o => o.StartPosition = StartPosition.Earliest);
        await subscription.UntilCaughtUpAsync();
        log.All.Should().Contain(line => line.Message.Contains("[DEV] Would subscribe to chat"));
    }
}

public sealed class BroadcastOnKafka(KafkaTestBroker broker) : BroadcastContract<KafkaTestBroker>(broker)
{
    private readonly KafkaTestBroker _broker = broker;

    [SkippableFact]
    public async Task An_added_partition_is_read_from_its_first_message_within_seconds()
    {
        var topic = await _broker.CreateTopicAsync(1);
        await using var instance = new Instance(_broker);
        await instance.SubscribeAsync(topic);

        await _broker.AddPartitionsAsync(topic, 3);
        await _broker.SendAsync(topic, 2, 10);

        await Waiting.Until(() => instance.Received.Count >= 10, "the new partition is read", TimeSpan.FromSeconds(30));
        instance.Received.Order().Should().Equal(Enumerable.Range(0, 10).Select(static n => $"{n}"));
        instance.Subscription.Assignment.Should().HaveCount(3);
    }

    [SkippableFact]
    public async Task A_topic_that_was_missing_at_the_start_is_read_from_its_first_message_when_it_exists()
    {
        _ = _broker.Brokers;
        var topic = RealKafka.NewName("late");
        await using var instance = new Instance(_broker);
        await instance.SubscribeAsync(topic).WaitAsync(Waiting.Deadline);
        instance.Subscription.State.Should().Be(SubscriptionState.TopicMissing);
        (await HealthReport.OfAsync(instance.Kafka)).Status.Should().Be(HealthStatus.Degraded);
        await instance.Subscription.UntilCaughtUpAsync();

        await _broker.CreateTopicAsync(topic, 2);
        await Waiting.Until(async () =>
        {
            try
            {
                await _broker.SendAsync(topic, 1, 1);
                return true;
            }
            catch (ProduceException<byte[], byte[]>)
            {
                return false;   // not every broker knows it yet
            }
        }, "it can be written to");

        await instance.ReceivesAsync(1);
        instance.Subscription.State.Should().Be(SubscriptionState.Running);
    }
}
