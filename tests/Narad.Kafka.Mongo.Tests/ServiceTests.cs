using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using MongoDB.Bson;
using MongoDB.Driver;
using Narad.Kafka.Testing;

namespace Narad.Kafka.Mongo.Tests;

/// <summary>Inbox and store in subscriptions, on the embedded broker.</summary>
public sealed class ServiceTests(EmbeddedKafka kafka) : IClassFixture<EmbeddedKafka>
{
    private const string InMemory = "in memory";

    private sealed record Event(string Id, int Number);

    /// <summary>The inbox in memory, or on one of the servers.</summary>
    private sealed class TestInbox : IAsyncDisposable
    {
        private readonly TestDatabase? _database;

        public TestInbox(string server)
        {
            _database = server is InMemory ? null : TestDatabase.On(server);
            Inbox = _database is null ? new InMemoryInbox() : new MongoInbox(_database.Connect(), TimeProvider.System);
        }

        public IInbox Inbox { get; }

        public ValueTask DisposeAsync() => _database?.DisposeAsync() ?? ValueTask.CompletedTask;
    }

    /// <summary>An inbox whose store is unavailable so many times.</summary>
    private sealed class FlakyInbox(int times) : IInbox
    {
        private readonly InMemoryInbox _inner = new();
        private readonly int _times = times;
        private int _left = times;

        /// <summary>It is down no more.</summary>
        public void Answer() => Volatile.Write(ref _left, 0);

        public int Outages => _times - Math.Max(0, Volatile.Read(ref _left));

        public Task<InboxGuarantee> StartAsync(InboxSubscription subscription, CancellationToken cancellationToken) =>
            Task.FromResult(InboxGuarantee.Transactional);

        public Task<InboxResult> HandleAsync(InboxMessage message, Func<object?, CancellationToken, Task> handler, CancellationToken cancellationToken) =>
            Interlocked.Decrement(ref _left) >= 0 ? throw new StoreUnavailableException("down") : _inner.HandleAsync(message, handler, cancellationToken);
    }

    private async Task<KafkaService> ConnectAsync(string group)
    {
        var service = new KafkaService(kafka.CreateOptions());
        await service.ConnectProducerAsync();
        await service.ConnectConsumerAsync(group);
        return service;
    }

    [Fact]
    [Trait("Promise", "S36")]
    public async Task Once_a_message_that_was_sent_twice_is_handled_once_and_one_without_an_id_each_time()
    {
        var (topic, group) = (kafka.CreateTopic(), kafka.NewName("g"));
        await using var service = await ConnectAsync(group);
        var handled = new ConcurrentQueue<int>();
        await service.SubscribeAsync<Event>(topic, (message, _, _) =>
        {
            handled.Enqueue(message.Number);
            return Task.CompletedTask;
        }, group, o => (o.Once.Enabled, o.Once.Inbox) = (true, new InMemoryInbox()));

        var headers = new SendOptions { Headers = new MessageHeaders().Add("message-id", "x-1") };
        await service.SendAsync(topic, new Event("a", 1), "k", headers);
        await service.SendAsync(topic, new Event("a", 2), "k", headers);
        await service.SendAsync(topic, new Event("a", 3), "k");
        await service.SendAsync(topic, new Event("a", 4), "k");

        await Waiting.UntilAsync(() => handled.Contains(4), "the last one was handled");
        handled.Should().Equal(1, 3, 4);
    }

    [SkippableTheory]
    [Trait("Promise", "S36")]
    [InlineData(InMemory)]
    [InlineData(TestDatabase.Standalone)]
    [InlineData(TestDatabase.ReplicaSet)]
    public async Task Once_goes_with_retries_in_memory_retry_topics_and_dead_letters_and_a_redriven_message_is_handled_again(string server)
    {
        await using var inbox = new TestInbox(server);
        var (topic, group) = (kafka.CreateTopic(), kafka.NewName("g"));
        kafka.Broker.CreateTopic($"{topic}-retry", 6);
        kafka.Broker.CreateTopic($"{topic}-dlt", 6);
        await using var service = await ConnectAsync(group);
        var calls = 0;
        var mayWork = false;
        await service.SubscribeAsync<Event>(topic, (_, _, _) =>
        {
            Interlocked.Increment(ref calls);
            return Volatile.Read(ref mayWork) ? Task.CompletedTask : throw new InvalidDataException("not yet");
        }, group, o =>
        {
            (o.Once.Enabled, o.Once.Inbox) = (true, inbox.Inbox);
            o.Once.IdProperty = "id";
            o.Retry.InMemory.MaxAttempts = 1;
            o.Retry.Topic.MaxAttempts = 1;
            o.Retry.Topic.Delay = TimeSpan.FromMilliseconds(10);
        });
        await service.SendAsync(topic, new Event("x-1", 1), "k");
        await Waiting.UntilAsync(async () => await service.DeadLetters.CountAsync($"{topic}-dlt") == 1, "it became a dead letter");
        calls.Should().Be(4, "(1 + 1 in memory) × (1 + 1 through the retry topic)");

        Volatile.Write(ref mayWork, true);
        await service.DeadLetters.RedriveAsync($"{topic}-dlt");
        await Waiting.UntilAsync(() => Volatile.Read(ref calls) == 5, "the redriven one was handled");

        // Redriven once more it is skipped, unless it is forced, and then it is handled once.
        await service.DeadLetters.RedriveAsync($"{topic}-dlt", new RedriveOptions { FromStart = true });
        await service.DeadLetters.RedriveAsync($"{topic}-dlt", new RedriveOptions { FromStart = true, HandleAgain = true });
        await Waiting.UntilAsync(() => Volatile.Read(ref calls) == 6, "the forced one was handled");
        await service.SendAsync(topic, new Event("x-2", 2), "k");
        await Waiting.UntilAsync(() => Volatile.Read(ref calls) >= 7, "the next one was handled");
        calls.Should().Be(7);
    }

    [SkippableTheory]
    [Trait("Promise", "S36")]
    [InlineData(InMemory)]
    [InlineData(TestDatabase.Standalone)]
    [InlineData(TestDatabase.ReplicaSet)]
    public async Task Once_goes_with_key_ordered_retries_and_duplicates(string server)
    {
        await using var inbox = new TestInbox(server);
        var (topic, group) = (kafka.CreateTopic(partitions: 1), kafka.NewName("g"));
        kafka.Broker.CreateTopic($"{topic}-retry", 1);
        kafka.Broker.CreateTopic($"{topic}-dlt", 1);
        await using var service = await ConnectAsync(group);
        var handled = new ConcurrentQueue<int>();
        var failures = 0;
        await service.SubscribeAsync<Event>(topic, (message, _, _) =>
        {
            if (message.Number == 1 && Interlocked.Increment(ref failures) <= 2)
            {
                throw new InvalidDataException("not yet");
            }

            handled.Enqueue(message.Number);
            return Task.CompletedTask;
        }, group, o =>
        {
            (o.Once.Enabled, o.Once.Inbox) = (true, inbox.Inbox);
            o.Once.IdProperty = "id";
            o.Retry.Topic.MaxAttempts = 3;
            o.Retry.Topic.Delay = TimeSpan.FromMilliseconds(10);
            o.Retry.PreserveKeyOrder = true;
        });

        // Number 1 fails twice; the others of its key, each sent twice, wait behind it.
        foreach (var number in new[] { 1, 2, 2, 3, 1, 3, 4 })
        {
            await service.SendAsync(topic, new Event($"id-{number}", number), "k");
        }

        await Waiting.UntilAsync(() => handled.Contains(4), "the last one was handled");
        handled.Should().Equal(1, 2, 3, 4);
        failures.Should().Be(3);
        (await service.DeadLetters.CountAsync($"{topic}-dlt")).Should().Be(0);
    }

    [SkippableTheory]
    [Trait("Promise", "S36")]
    [InlineData(InMemory)]
    [InlineData(TestDatabase.ReplicaSet)]
    public async Task Equal_ids_from_two_topics_of_one_group_are_two_messages(string server)
    {
        await using var inbox = new TestInbox(server);
        var (orders, invoices, group) = (kafka.CreateTopic(), kafka.CreateTopic(), kafka.NewName("g"));
        await using var service = await ConnectAsync(group);
        var handled = new ConcurrentQueue<string>();
        foreach (var topic in new[] { orders, invoices })
        {
            await service.SubscribeAsync<Event>(topic, (_, context, _) =>
            {
                handled.Enqueue(context.Topic);
                return Task.CompletedTask;
            }, group, o =>
            {
                (o.Once.Enabled, o.Once.Inbox) = (true, inbox.Inbox);
                o.Once.IdProperty = "id";
            });
        }

        await service.SendAsync(orders, new Event("same", 1), "k");
        await service.SendAsync(invoices, new Event("same", 2), "k");

        await Waiting.UntilAsync(() => handled.Count >= 2, "both were handled");
        handled.Should().BeEquivalentTo(orders, invoices);
    }

    [Fact]
    [Trait("Promise", "S36")]
    public async Task Stored_messages_duplicates_and_what_waits_are_counted_and_health_says_what_waits()
    {
        var (topic, group) = (kafka.CreateTopic(partitions: 1), kafka.NewName("g"));
        var client = kafka.NewName("client");
        var inbox = new FlakyInbox(int.MaxValue);
        var store = new InMemoryMessageStore();
        var builder = Host.CreateEmptyApplicationBuilder(settings: null);
        builder.Services.AddSingleton<IInbox>(inbox);
        builder.Services.AddNaradKafka(options =>
            {
                kafka.Apply(options);
                options.ClientId = client;
            })
            .AddMessageStore<Event>(topic, "events", $"{group}-store", options => options.Store = store)
            .AddSubscription<Event, NoHandler>(topic, group, static o =>
            {
                o.Once.Enabled = true;
                o.Once.IdProperty = "id";
                o.CircuitBreaker.BreakDuration = TimeSpan.FromMilliseconds(500);
            });
        using var host = builder.Build();
        await host.StartAsync();
        var service = host.Services.GetRequiredService<IKafkaService>();
        var seen = new ConcurrentDictionary<string, long>();
        using var listener = new MeterListener
        {
            InstrumentPublished = static (instrument, listening) =>
            {
                if (instrument.Meter.Name is "Narad.Kafka")
                {
                    listening.EnableMeasurementEvents(instrument);
                }
            },
        };
        listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) =>
        {
            if (tags.ToArray().Contains(new("client", client)))
            {
                seen[instrument.Name] = value;
            }
        });
        listener.Start();
        for (var i = 0; i < 10; i++)
        {
            await service.SendAsync(topic, new Event($"{i % 5}", i), "k");
        }

        // The store of the inbox is down: all ten messages wait.
        await Waiting.UntilAsync(
            () =>
            {
                listener.RecordObservableInstruments();
                return seen.GetValueOrDefault("narad.kafka.messages.waiting") == 10;
            },
            "ten messages wait");
        var unreachable = new MongoConnection(
            static () => new MongoClient("mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=100").GetDatabase("x"), new MongoOptions(),
            Microsoft.Extensions.Logging.Abstractions.NullLogger<MongoConnection>.Instance);
        var check = new MongoHealthCheck(unreachable, new MongoOutboxStore(unreachable, TimeProvider.System), service);
        var health = await check.CheckHealthAsync(new HealthCheckContext
        {
            Registration = new HealthCheckRegistration("mongodb", static _ => throw new NotSupportedException(), failureStatus: null, tags: null),
        });
        health.Description.Should().Contain($"waiting for the store: 10 message(s) in memory of '{topic}' in group '{group}'");
        health.Data["waitingMessages"].Should().Be(10L);

        inbox.Answer();
        await Waiting.UntilAsync(
            () =>
            {
                listener.RecordObservableInstruments();
                return seen["narad.kafka.messages.waiting"] == 0 && seen.GetValueOrDefault("narad.kafka.messages.duplicates") == 5;
            },
            "none waits, five were handled and five were duplicates");
        seen["narad.kafka.messages.stored"].Should().Be(10);
        await host.StopAsync();
    }

    [Fact]
    public async Task A_server_that_does_not_answer_is_named()
    {
        var unreachable = new MongoConnection(
            static () => new MongoClient("mongodb://user:secret-word@127.0.0.1:1/").GetDatabase("x"),
            new MongoOptions { OperationTimeout = TimeSpan.FromMilliseconds(300) },
            Microsoft.Extensions.Logging.Abstractions.NullLogger<MongoConnection>.Instance);

        var failure = (await unreachable.Invoking(static one => one.DescribeAsync(CancellationToken.None)).Should()
            .ThrowAsync<StoreUnavailableException>()).Which;

        failure.Message.Should().StartWith("MongoDB could not be reached at 127.0.0.1:1 within 00:00:00.3").And.NotContain("secret-word");
    }

    [SkippableFact]
    [Trait("Promise", "S36")]
    public async Task The_drivers_spans_join_the_trace_of_the_message()
    {
        await using var database = TestDatabase.On(TestDatabase.ReplicaSet);
        await database.Database.CreateCollectionAsync("effects");
        var (topic, group) = (kafka.CreateTopic(partitions: 1), kafka.NewName("g"));
        using var host = StartHost(builder => builder
            .AddMongo(database.Uri, options => options.Database = database.Name)
            .StoreInMongo<Event>(topic, "events", group: $"{group}-store")
            .AddSubscription<Event, EffectHandler>(topic, group, static o => o.Once.Enabled = true));
        await host.StartAsync();
        var ended = new ConcurrentQueue<Activity>();
        using var listener = new ActivityListener
        {
            ShouldListenTo = static source => source.Name is "Narad.Kafka" || source.Name == MongoTelemetry.ActivitySourceName,
            Sample = static (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = ended.Enqueue,
        };
        ActivitySource.AddActivityListener(listener);
        using var root = new Activity("test").Start();

        await host.Services.GetRequiredService<IKafkaService>().SendAsync(topic, new Event("a", 1), "k");

        Activity[] Mine() => [.. ended.Where(activity => activity.TraceId == root.TraceId)];
        await Waiting.UntilAsync(() => Mine().Count(static activity => activity.DisplayName.EndsWith(" process", StringComparison.Ordinal)) == 2,
            "it was handled and stored");
        await host.StopAsync();
        var mine = Mine();
        foreach (var name in new[] { "insert", "commitTransaction" })
        {
            var inside = mine.Where(activity => activity.Source.Name == MongoTelemetry.ActivitySourceName && IsInside(activity)).ToList();
            inside.Select(static activity => activity.DisplayName).Should().Contain(span => span.Contains(name, StringComparison.OrdinalIgnoreCase));
        }

        bool IsInside(Activity span)
        {
            for (var parent = span; parent is not null; parent = Array.Find(mine, one => one.SpanId == parent.ParentSpanId))
            {
                if (parent.Source.Name is "Narad.Kafka" && parent.Kind is ActivityKind.Consumer)
                {
                    return true;
                }
            }

            return false;
        }
    }

    private sealed class NoHandler : IMessageHandler<Event>
    {
        public Task HandleAsync(Event message, MessageContext context, CancellationToken cancellationToken) => Task.CompletedTask;
    }

    [Fact]
    [Trait("Promise", "S36")]
    public async Task An_unavailable_inbox_opens_the_circuit_and_nothing_is_dead_lettered()
    {
        var (topic, group) = (kafka.CreateTopic(partitions: 1), kafka.NewName("g"));
        kafka.Broker.CreateTopic($"{topic}-dlt", 1);
        await using var service = await ConnectAsync(group);
        var inbox = new FlakyInbox(6);
        var handled = new ConcurrentQueue<int>();
        var subscription = await service.SubscribeAsync<Event>(topic, (message, _, _) =>
        {
            handled.Enqueue(message.Number);
            return Task.CompletedTask;
        }, group, o =>
        {
            (o.Once.Enabled, o.Once.Inbox) = (true, inbox);
            o.DeadLetter.Enabled = true;
            o.CircuitBreaker.BreakDuration = TimeSpan.FromMilliseconds(20);
        });

        for (var i = 0; i < 20; i++)
        {
            await service.SendAsync(topic, new Event($"{i}", i), "k");
        }

        await Waiting.UntilAsync(() => handled.Count >= 20, "all were handled");
        handled.Should().Equal(Enumerable.Range(0, 20));
        inbox.Outages.Should().Be(6, "no number of failed probes makes a dead letter");
        subscription.CircuitState.Should().Be(CircuitState.Closed);
        (await service.DeadLetters.CountAsync($"{topic}-dlt")).Should().Be(0);
    }

    [Fact]
    [Trait("Promise", "S36")]
    public async Task What_a_transactional_handler_sends_is_sent_when_it_is_committed_and_dropped_when_it_fails()
    {
        var (topic, output, group) = (kafka.CreateTopic(partitions: 1), kafka.CreateTopic(partitions: 1), kafka.NewName("g"));
        await using var service = await ConnectAsync(group);
        var outputs = new ConcurrentQueue<int>();
        await service.SubscribeAsync<Event>(output, (message, _, _) =>
        {
            outputs.Enqueue(message.Number);
            return Task.CompletedTask;
        }, group);
        await service.SubscribeAsync<Event>(topic, async (message, context, token) =>
        {
            (await context.SendAsync(output, message, "k", cancellationToken: token)).Offset.Should().Be(-1, "it waits for the commit");
            if (context.Attempt == 1)
            {
                throw new InvalidDataException("the first time");
            }
        }, group, o =>
        {
            (o.Once.Enabled, o.Once.Inbox) = (true, new FlakyInbox(0));
            o.Retry.InMemory.MaxAttempts = 1;
            o.Retry.InMemory.Delay = TimeSpan.Zero;
        });

        await service.SendAsync(topic, new Event("a", 1), "k");
        await service.SendAsync(topic, new Event("b", 2), "k");

        await Waiting.UntilAsync(() => outputs.Contains(2), "both outputs came");
        outputs.Should().Equal(1, 2);
    }

    [Fact]
    public async Task Once_without_an_inbox_and_with_a_batch_handler_is_refused()
    {
        var (topic, group) = (kafka.CreateTopic(), kafka.NewName("g"));
        await using var service = await ConnectAsync(group);

        var without = () => service.SubscribeAsync<Event>(topic, static (_, _, _) => Task.CompletedTask, group, static o => o.Once.Enabled = true);
        var batch = () => service.SubscribeBatchAsync<Event>(topic, static (_, _) => Task.CompletedTask, group, static o => o.Once.Enabled = true);

        (await without.Should().ThrowAsync<KafkaConfigurationException>()).WithMessage("*Once.Enabled*AddMongo*");
        (await batch.Should().ThrowAsync<KafkaConfigurationException>()).WithMessage("*Once.Enabled*batch handler*");
    }

    [Fact]
    [Trait("Promise", "S35")]
    public async Task A_store_without_a_handler_stores_every_message_and_one_without_a_document_fails_alone()
    {
        var (topic, group) = (kafka.CreateTopic(partitions: 1), kafka.NewName("g"));
        kafka.Broker.CreateTopic($"{topic}-dlt", 1);
        var store = new InMemoryMessageStore();
        using var host = StartHost(builder => builder.AddMessageStore<Event>(topic, "events", group, options =>
        {
            options.Store = store;
            options.IdProperty = "id";
            options.DocumentSelector = static (message, _) => message.Number switch
            {
                3 => throw new InvalidDataException("three"),
                4 => new { Id = Guid.NewGuid() }.ToBsonDocument(),   // no representation of Guid is registered: the driver throws
                _ => message,
            };
        }, static o => o.DeadLetter.Enabled = true));
        await host.StartAsync();
        var service = host.Services.GetRequiredService<IKafkaService>();
        for (var i = 0; i < 10; i++)
        {
            await service.SendAsync(topic, new Event($"{i}", i), "k");
        }

        await Waiting.UntilAsync(() => store.MessagesOf("events").Count == 8, "eight were stored");
        await Waiting.UntilAsync(async () => await service.DeadLetters.CountAsync($"{topic}-dlt") == 2, "two became dead letters");
        store.MessagesOf("events").Select(static message => message.Id).Should().BeEquivalentTo("0", "1", "2", "5", "6", "7", "8", "9");
        await host.StopAsync();
    }

    [SkippableTheory]
    [Trait("Promise", "S36")]
    [InlineData(TestDatabase.Standalone)]
    [InlineData(TestDatabase.ReplicaSet)]
    public async Task Store_and_inbox_work_in_a_host(string server)
    {
        await using var database = TestDatabase.On(server);
        var (topic, group) = (kafka.CreateTopic(), kafka.NewName("g"));
        using var host = StartHost(builder => builder
            .AddMongo(database.Uri, options => options.Database = database.Name)
            .StoreInMongo<Event>(topic, "events", group: $"{group}-store", store: static options => options.IdProperty = "id")
            .AddSubscription<Event, EffectHandler>(topic, group, static o =>
            {
                o.Once.Enabled = true;
                o.Once.IdProperty = "id";
            }));
        await database.Database.CreateCollectionAsync("effects");
        await host.StartAsync();
        var service = host.Services.GetRequiredService<IKafkaService>();
        for (var i = 0; i < 40; i++)
        {
            await service.SendAsync(topic, new Event($"{i % 20}", i), $"{i % 20}");
        }

        await Waiting.UntilAsync(async () => await CountAsync("events") == 20 && await CountAsync("effects") >= 20, "all were stored and handled");
        await host.StopAsync();
        (await CountAsync("effects")).Should().Be(20);
        (await CountAsync("kafka_inbox")).Should().Be(20);

        async Task<long> CountAsync(string collection) => await database.Collection(collection).CountDocumentsAsync(FilterDefinition<BsonDocument>.Empty);
    }

    private sealed class EffectHandler(IMongoSessionAccessor accessor, MongoConnection connection) : IMessageHandler<Event>
    {
        public async Task HandleAsync(Event message, MessageContext context, CancellationToken cancellationToken)
        {
            context.GetMongoSession().Should().BeSameAs(accessor.Session);
            var effects = connection.Database.GetCollection<BsonDocument>("effects");
            var effect = new BsonDocument("event", message.Id);
            await (accessor.Session is { } session
                ? effects.InsertOneAsync(session, effect, cancellationToken: cancellationToken)
                : effects.InsertOneAsync(effect, cancellationToken: cancellationToken));
        }
    }

    private IHost StartHost(Action<NaradKafkaBuilder> configure)
    {
        var builder = Host.CreateEmptyApplicationBuilder(settings: null);
        configure(builder.Services.AddNaradKafka(kafka.Apply));
        return builder.Build();
    }
}
