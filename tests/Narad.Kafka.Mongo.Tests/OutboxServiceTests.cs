using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Narad.Kafka.Testing;

namespace Narad.Kafka.Mongo.Tests;

/// <summary>The outbox of a host, in memory, on the embedded broker.</summary>
[Trait("Promise", "S37")]
public sealed class OutboxServiceTests(EmbeddedKafka kafka) : IClassFixture<EmbeddedKafka>
{
    private sealed record Order(string Id, int Number);

    private sealed record Unrouted(string Id);

    private sealed class Cycle
    {
        public Cycle Self => this;
    }

    private IHost StartHost(Action<NaradKafkaBuilder> configure, Dictionary<string, string?>? settings = null)
    {
        var builder = Host.CreateEmptyApplicationBuilder(settings: null);
        builder.Configuration.AddInMemoryCollection(settings ?? []);
        var name = kafka.NewName("client");
        configure(builder.Services.AddNaradKafka(kafka.Apply).Configure(options => options.ClientId = name));
        builder.Services.AddHealthChecks().AddNaradKafkaOutbox();
        return builder.Build();
    }

    private static void Fast(OutboxOptions options, IOutboxStore store)
    {
        options.Store = store;
        options.PollInterval = TimeSpan.FromMilliseconds(100);
        options.CountInterval = TimeSpan.FromSeconds(1);
        options.RetryDelay = TimeSpan.FromMilliseconds(10);
        options.MaxRetryDelay = TimeSpan.FromMilliseconds(20);
        options.MaxAttempts = 2;
    }

    [Fact]
    public async Task Enqueued_messages_arrive_as_sent_ones_with_route_key_headers_id_and_trace()
    {
        var topic = kafka.CreateTopic();
        var store = new InMemoryOutboxStore();
        using var host = StartHost(builder => builder
            .AddRoute<Order>(topic, static route =>
            {
                route.KeySelector = static order => order.Id;
                route.Headers.Add("origin", "shop");
            })
            .AddOutbox(options => Fast(options, store)));
        await host.StartAsync();
        var outbox = host.Services.GetRequiredService<IOutbox>();
        var service = host.Services.GetRequiredService<IKafkaService>();
        await service.ConnectConsumerAsync("g");
        var received = new ConcurrentQueue<(Order? Order, MessageContext Context)>();
        await service.SubscribeAsync<Order?>(topic, (order, context, _) =>
        {
            received.Enqueue((order, context));
            return Task.CompletedTask;
        }, "g", static o => o.StartPosition = StartPosition.Earliest);

        using var activity = new Activity("checkout").Start();
        var id = await outbox.EnqueueAsync(new Order("o-1", 1));
        var named = await outbox.EnqueueAsync(topic, new Order("o-1", 2), "o-1", new SendOptions
        {
            Headers = new MessageHeaders().Add("message-id", "own"), Timestamp = DateTimeOffset.FromUnixTimeMilliseconds(1_790_000_000_000),
        });
        var many = await outbox.EnqueueManyAsync([new Order("o-1", 3), new Order("o-1", 4)]);
        await outbox.EnqueueTombstoneAsync<Order>("o-1");
        activity.Stop();

        await Waiting.UntilAsync(() => received.Count >= 4, "the messages arrived");
        await Waiting.UntilAsync(async () => (await store.GetStatisticsAsync(CancellationToken.None)).Pending == 0, "all were marked");
        await host.StopAsync();
        var messages = received.Where(static one => one.Order is not null).ToList();
        messages.Select(static one => one.Order!.Number).Should().Equal(1, 2, 3, 4);
        messages[0].Context.Headers.GetText("message-id").Should().Be(id);
        messages[0].Context.Headers.GetText("origin").Should().Be("shop");
        messages[0].Context.TraceParent.Should().Contain(activity.TraceId.ToString());
        messages.Should().OnlyContain(static one => one.Context.Key.ToString() == "o-1");
        (named, messages[1].Context.Headers.GetText("message-id")).Should().Be(("own", "own"));
        messages[1].Context.Timestamp.ToUnixTimeMilliseconds().Should().Be(1_790_000_000_000);
        many.Should().Equal(messages[2].Context.Headers.GetText("message-id"), messages[3].Context.Headers.GetText("message-id"));
        store.Dispatched.Should().HaveCount(5);
        store.Dispatched[^1].Value.Should().BeNull("the last one is a tombstone");
    }

    [Fact]
    public async Task What_cannot_be_sent_is_refused_when_it_is_enqueued_and_nothing_is_stored()
    {
        var store = new InMemoryOutboxStore();
        using var host = StartHost(builder => builder.AddOutbox(options =>
        {
            options.Store = store;
            options.RelayEnabled = false;
        }));
        await host.StartAsync();
        var outbox = host.Services.GetRequiredService<IOutbox>();

        await outbox.Invoking(static o => o.EnqueueAsync(new Unrouted("a")).AsTask()).Should().ThrowAsync<MessageRouteNotFoundException>();
        await outbox.Invoking(static o => o.EnqueueAsync("t", new Cycle()).AsTask()).Should().ThrowAsync<KafkaSendException>().WithMessage("*serialized*");
        var large = (await outbox.Invoking(static o => o.EnqueueAsync("t", new byte[20_000_000]).AsTask()).Should().ThrowAsync<KafkaSendException>()).Which;
        (large.Reason, large.Retriable).Should().Be(("MsgSizeTooLarge", false));
        await outbox.Invoking(static o => o.EnqueueAsync("no topic!", "x").AsTask()).Should().ThrowAsync<ArgumentException>();
        await outbox.Invoking(static o => o.EnqueueAsync<object>("t", null!).AsTask()).Should().ThrowAsync<ArgumentNullException>();
        await outbox.Invoking(static o => o.EnqueueTombstoneAsync("t", MessageKey.None).AsTask()).Should().ThrowAsync<ArgumentException>();
        await outbox.Invoking(static o => o.EnqueueAsync("t", new[] { 1, 2 }).AsTask()).Should().ThrowAsync<ArgumentException>().WithMessage("*EnqueueMany*");
        await outbox.Invoking(static o => o.EnqueueManyAsync<object>("t", ["fine", new Cycle()])).Should().ThrowAsync<KafkaSendException>();
        await outbox.Invoking(static o => o.WithSession("none").EnqueueAsync("t", "x").AsTask()).Should().ThrowAsync<ArgumentException>();
        (await store.GetStatisticsAsync(CancellationToken.None)).Pending.Should().Be(0);

        await outbox.EnqueueAsync("t", "kept");
        await host.StopAsync();
        (await store.GetStatisticsAsync(CancellationToken.None)).Pending.Should().Be(1, "this instance has no relay");
    }

    [Fact]
    public async Task An_inbox_on_the_other_side_undoes_what_was_sent_twice()
    {
        var topic = kafka.CreateTopic();
        var answersAreLost = true;
        var store = new FaultyOutboxStore(new InMemoryOutboxStore())
        {
            Before = name =>
            {
                if (name is "MarkDispatchedAsync" or "LeaveAsync" && Volatile.Read(ref answersAreLost))
                {
                    throw FaultyOutboxStore.Down;
                }
            },
        };
        var handled = new ConcurrentQueue<int>();
        var arrived = 0;
        await using var reader = new KafkaService(kafka.CreateOptions());
        await reader.ConnectConsumerAsync("once");
        await reader.ConnectConsumerAsync("all");
        await reader.SubscribeAsync<Order>(topic, (order, _, _) =>
        {
            handled.Enqueue(order.Number);
            return Task.CompletedTask;
        }, "once", static o => (o.StartPosition, o.Once.Enabled, o.Once.Inbox) = (StartPosition.Earliest, true, new InMemoryInbox()));
        await reader.SubscribeAsync<Order>(topic, (_, _, _) =>
        {
            Interlocked.Increment(ref arrived);
            return Task.CompletedTask;
        }, "all", static o => o.StartPosition = StartPosition.Earliest);

        using (var first = StartHost(builder => builder.AddOutbox(options =>
        {
            Fast(options, store);
            options.LeaseDuration = TimeSpan.FromSeconds(1);
        })))
        {
            await first.StartAsync();
            await first.Services.GetRequiredService<IOutbox>().EnqueueManyAsync(topic, Enumerable.Range(0, 10).Select(static i => new Order("a", i)),
                static order => order.Id);
            await Waiting.UntilAsync(() => Volatile.Read(ref arrived) > 2, "some were sent, and could not be marked");
            await first.StopAsync();
        }

        Volatile.Write(ref answersAreLost, false);
        using var second = StartHost(builder => builder.AddOutbox(options => Fast(options, store)));
        await second.StartAsync();
        await Waiting.UntilAsync(() => Volatile.Read(ref arrived) > 10 && handled.Count >= 10, "they were sent again");
        await Waiting.UntilAsync(async () => (await store.GetStatisticsAsync(CancellationToken.None)).Pending == 0, "all were marked");
        await second.StopAsync();
        handled.Should().Equal(Enumerable.Range(0, 10));
    }

    [Fact]
    public async Task Pending_messages_and_those_set_aside_are_measured_and_change_health()
    {
        var store = new FaultyOutboxStore(new InMemoryOutboxStore());
        using var host = StartHost(builder => builder.AddOutbox(options =>
        {
            Fast(options, store);
            options.DegradedAfter = TimeSpan.FromMilliseconds(1);
        }));
        var health = host.Services.GetRequiredService<HealthCheckService>();
        async Task<HealthReportEntry> CheckAsync() => (await health.CheckHealthAsync()).Entries["kafka-outbox"];
        await host.StartAsync();
        var outbox = host.Services.GetRequiredService<IOutbox>();
        await Waiting.UntilAsync(async () => (await CheckAsync()).Data["pending"] is 0L, "pending messages were counted");
        (await CheckAsync()).Status.Should().Be(HealthStatus.Healthy);

        // A partition that the topic does not have is refused by the client, each time.
        var topic = kafka.CreateTopic();
        var id = await outbox.EnqueueAsync(topic, "x", "k", new SendOptions { Partition = 5_000 });
        await Waiting.UntilAsync(async () => (await CheckAsync()).Data["setAside"] is 1L, "the message was set aside");
        var checkedHealth = await CheckAsync();
        checkedHealth.Status.Should().Be(HealthStatus.Degraded);
        checkedHealth.Description.Should().Contain("1 messages are set aside");
        var listed = (await outbox.SetAside.ListAsync(topic)).Should().ContainSingle().Subject;
        (listed.Message.Id, listed.Attempts).Should().Be((id, 2));
        (await outbox.SetAside.DiscardAsync([id, id])).Should().Be(1);
        (await outbox.SetAside.RetryAsync([id])).Should().Be(0);

        store.Before = static _ => throw FaultyOutboxStore.Down;
        await Waiting.UntilAsync(async () => (await CheckAsync()).Status is HealthStatus.Unhealthy, "the store does not answer");
        (await CheckAsync()).Description.Should().Contain("does not answer");
        store.Before = static _ => { };
        await Waiting.UntilAsync(async () => (await CheckAsync()).Status is HealthStatus.Healthy, "it resumed");

        var measured = new ConcurrentDictionary<string, long>(StringComparer.Ordinal);
        using var listener = new MeterListener();
        listener.InstrumentPublished = static (instrument, self) =>
        {
            if (instrument.Name.StartsWith("narad.kafka.outbox.", StringComparison.Ordinal))
            {
                self.EnableMeasurementEvents(instrument);
            }
        };
        var client = host.Services.GetRequiredService<KafkaService>().Options.ClientId;
        listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) =>
        {
            if (tags.ToArray().Contains(new KeyValuePair<string, object?>("client", client)))
            {
                measured.AddOrUpdate(instrument.Name, value, (_, other) => Math.Max(other, value));
            }
        });
        listener.Start();
        listener.RecordObservableInstruments();
        measured.Should().Contain("narad.kafka.outbox.pending", 0).And.Contain("narad.kafka.outbox.messages_set_aside", 1)
            .And.ContainKeys("narad.kafka.outbox.oldest_pending", "narad.kafka.outbox.set_aside", "narad.kafka.outbox.buckets",
                "narad.kafka.outbox.enqueued", "narad.kafka.outbox.dispatched", "narad.kafka.outbox.failures");
        await host.StopAsync();
    }

    [Fact]
    public async Task Settings_come_from_the_section_code_wins_and_wrong_ones_are_named()
    {
        using var wrong = StartHost(static builder => builder.AddOutbox(static o => o.Store = new InMemoryOutboxStore()), new()
        {
            ["Kafka:Outbox:PollIntervall"] = "00:00:01", ["Kafka:Outbox:MaxAttempts"] = "many",
        });
        (await wrong.Invoking(static host => host.StartAsync()).Should().ThrowAsync<KafkaConfigurationException>()).Which.Message
            .Should().Contain("Did you mean 'PollInterval'?").And.Contain("Kafka:Outbox:MaxAttempts = many");

        using var outOfRange = StartHost(static builder => builder.AddOutbox(static o =>
        {
            o.Store = new InMemoryOutboxStore();
            o.RetryDelay = TimeSpan.FromMinutes(2);
        }), new() { ["Kafka:Outbox:MaxAttempts"] = "0" });
        (await outOfRange.Invoking(static host => host.StartAsync()).Should().ThrowAsync<KafkaConfigurationException>()).Which.Message
            .Should().Contain("MaxRetryDelay").And.Contain("MaxAttempts");

        using var without = StartHost(static builder => builder.AddOutbox());
        (await without.Invoking(static host => host.StartAsync()).Should().ThrowAsync<KafkaConfigurationException>()).Which.Message
            .Should().Contain("AddMongo");
        StartHost(static builder => builder.AddOutbox().Invoking(static again => again.AddOutbox()).Should().Throw<InvalidOperationException>()).Dispose();

        OutboxOptions? seen = null;
        using var right = StartHost(builder => builder.AddOutbox(o =>
        {
            o.Store = new InMemoryOutboxStore();
            o.MaxAttempts = 7;
            seen = o;
        }), new() { ["Kafka:Outbox:MaxAttempts"] = "5", ["Kafka:Outbox:KeyAfterSetAside"] = "continue", ["Kafka:Outbox:Retention"] = "2.00:00:00" });
        await right.StartAsync();
        (seen!.MaxAttempts, seen.KeyAfterSetAside, seen.Retention).Should().Be((7, OutboxKeyPolicy.Continue, TimeSpan.FromDays(2)));
        await right.StopAsync();
    }
}
