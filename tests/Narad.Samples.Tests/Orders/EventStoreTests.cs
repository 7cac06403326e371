using Microsoft.Extensions.DependencyInjection;
using MongoDB.Driver;
using Narad.Kafka;
using Orders;
using Orders.Events;
using Orders.Storage;
using static Narad.Samples.Tests.Orders.OrderLog;

namespace Narad.Samples.Tests.Orders;

/// <summary>What each event store does, with the outbox and the topic behind it.</summary>
public sealed class EventStoreTests
{
    private const string ReplicaSet = "NARAD_TEST_MONGODB_REPLICA_SET";

    [SkippableTheory]
    [InlineData(null)]
    [InlineData(ReplicaSet)]
    public async Task Of_two_writers_one_wins_and_what_is_appended_is_in_the_topic(string? server)
    {
        await using var run = await StoreRun.StartAsync(server);
        await run.Store.CreateAsync(Id, Created, idempotencyKey: null, default);
        var appended = await run.Store.AppendAsync(Id, 1, [Paid, Reserved], default);
        appended.Select(static one => (one.OrderId, one.Version)).Should().Equal((Id, 2), (Id, 3));

        var writers = await Task.WhenAll(Enumerable.Range(0, 8).Select(async number =>
        {
            try
            {
                await run.Store.AppendAsync(Id, 3, [new CancellationRequested($"writer {number}")], default);
                return number;
            }
            catch (OrderConflictException)
            {
                return (int?)null;
            }
        }));
        var winner = writers.Should().ContainSingle(static number => number != null).Subject;
        await run.Store.Invoking(store => store.AppendAsync(Id, 1, [Paid], default)).Should().ThrowAsync<OrderConflictException>();
        await run.Store.Invoking(store => store.AppendAsync(Id, 9, [Paid], default)).Should().ThrowAsync<OrderConflictException>();
        await run.Store.Invoking(store => store.CreateAsync(Id, Created, idempotencyKey: null, default)).Should().ThrowAsync<OrderConflictException>();

        var log = await run.Store.ReadAsync(Id, default);
        log.Select(static one => (one.GetType(), one.Version)).Should().Equal(
            (typeof(OrderCreated), 1), (typeof(PaymentCompleted), 2), (typeof(StockReserved), 3), (typeof(CancellationRequested), 4));
        ((CancellationRequested)log[3]).Reason.Should().Be($"writer {winner}");
        Order.Fold(log)!.Should().BeEquivalentTo(new { Created.Total, State = OrderState.Compensating, Paid = 5.5m });
        (await run.Store.ReadAsync("nobody", default)).Should().BeEmpty();

        await run.IsInTopicAsync(log);
    }

    [SkippableTheory]
    [InlineData(null)]
    [InlineData(ReplicaSet)]
    public async Task The_same_key_and_content_give_the_same_order_and_other_content_is_refused(string? server)
    {
        await using var run = await StoreRun.StartAsync(server);
        var calls = await Task.WhenAll(Enumerable.Range(0, 6).Select(number => run.Store.CreateAsync($"order-{number}", Created, "key", default)));

        calls.Should().ContainSingle(static call => call.IsNew);
        var id = calls.Select(static call => call.OrderId).Distinct(StringComparer.Ordinal).Should().ContainSingle().Subject;
        (await run.Store.CreateAsync("order-9", Created with { }, "key", default)).Should().Be(new Creation(id, IsNew: false));
        await run.Store.Invoking(store => store.CreateAsync("order-9", Created with { Total = 1 }, "key", default)).Should()
            .ThrowAsync<IdempotencyKeyException>();
        (await run.Store.CreateAsync("order-9", Created with { Total = 1 }, "another key", default)).IsNew.Should().BeTrue();

        await run.IsInTopicAsync([.. await run.Store.ReadAsync(id, default), .. await run.Store.ReadAsync("order-9", default)]);
    }

    [SkippableFact]
    public async Task A_transaction_that_is_aborted_sends_nothing()
    {
        await using var run = await StoreRun.StartAsync(ReplicaSet);
        await run.Store.CreateAsync(Id, Created, idempotencyKey: null, default);
        await run.Kafka.SendAsync("appends", "append");

        // The first attempt appends and fails, the second one appends and succeeds.
        await Wait.UntilAsync(async () => (await run.Store.ReadAsync(Id, default)).Count == 2, "the handler's second attempt is stored");
        var log = await run.Store.ReadAsync(Id, default);
        ((PaymentCompleted)log[1]).PaymentId.Should().Be("attempt 2");
        await run.IsInTopicAsync(log);
    }

    [SkippableFact]
    public async Task A_standalone_server_is_refused_at_the_start()
    {
        const string standalone = "NARAD_TEST_MONGODB";
        Skip.If(string.IsNullOrEmpty(Environment.GetEnvironmentVariable(standalone)), $"{standalone} names no MongoDB server.");
        await FluentActions.Awaiting(() => StoreRun.StartAsync(standalone)).Should().ThrowAsync<KafkaConfigurationException>()
            .WithMessage("*standalone*");
    }

    /// <summary>A host with the store, a broker, and a handler that appends.</summary>
    private sealed class StoreRun(RunningSample sample, MongoUrl? mongo) : IAsyncDisposable
    {
        public IOrderEventStore Store => sample["store"].Services.GetRequiredService<IOrderEventStore>();

        public IKafkaService Kafka => sample["store"].Services.GetRequiredService<IKafkaService>();

        public static async Task<StoreRun> StartAsync(string? server)
        {
            var settings = new List<string> { "--urls=http://127.0.0.1:0", "--Logging:LogLevel:Default=Error" };
            MongoUrl? url = null;
            if (server is not null)
            {
                var uri = Environment.GetEnvironmentVariable(server);
                Skip.If(string.IsNullOrEmpty(uri), $"{server} names no MongoDB server.");
                url = new MongoUrlBuilder(uri) { DatabaseName = $"orders-{Guid.NewGuid():N}" }.ToMongoUrl();
                settings.Add($"--MONGODB_URI={url}");
            }

            var memory = new OrdersMemory();
            return new StoreRun(await Sample.StartAsync([.. settings], new SampleRole("store", 0, builder =>
            {
                builder.AddOrdersKafka("store", memory).AddTopic("appends", partitions: 1).AddSubscription<string, AppendAndFail>("appends", "appends", o =>
                {
                    o.Once.Enabled = true;
                    o.Retry.InMemory.MaxAttempts = 1;
                });
                return builder.Build();
            })), url);
        }

        /// <summary>Waits until these events, and no others, are in the topic.</summary>
        public async Task IsInTopicAsync(IReadOnlyList<OrderEvent> log)
        {
            IReadOnlyList<OrderEvent> topic = [];
            await Wait.UntilAsync(
                () =>
                {
                    topic = TopicReader.Read(sample.Broker!.BootstrapServers, Topics.Events);
                    return Task.FromResult(topic.Count >= log.Count);
                },
                "what is appended is in the topic");
            foreach (var order in log.GroupBy(static one => one.OrderId, StringComparer.Ordinal))
            {
                topic.Where(one => one.OrderId == order.Key).Select(OrderJson.Write).Should().Equal(order.Select(OrderJson.Write));
            }

            topic.Should().HaveCount(log.Count);
        }

        public async ValueTask DisposeAsync()
        {
            await sample.DisposeAsync();
            if (mongo is not null)
            {
                using var client = new MongoClient(mongo);
                await client.DropDatabaseAsync(mongo.DatabaseName);
            }
        }
    }

    /// <summary>Appends, then fails at the first attempt.</summary>
    internal sealed class AppendAndFail(IOrderEventStore store) : IMessageHandler<string>
    {
        public async Task HandleAsync(string message, MessageContext context, CancellationToken cancellationToken)
        {
            await store.AppendAsync(Id, 1, [new PaymentCompleted($"attempt {context.Attempt}", 1)], cancellationToken);
            if (context.Attempt == 1)
            {
                throw new InvalidOperationException("The first attempt fails.");
            }
        }
    }
}
