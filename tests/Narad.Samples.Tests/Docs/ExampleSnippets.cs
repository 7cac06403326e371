using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using MongoDB.Driver;
using Narad.Kafka;
using Narad.Kafka.Testing;

namespace Narad.Samples.Tests.Docs;

/// <summary>The code of the examples in the XML documentation of src/: compiled here, compared with them by <see cref="ExamplesTests"/>.</summary>
public static class ExampleSnippets
{
    public static async Task Service()
    {
        // snippet: example-service
        await using var kafka = KafkaService.FromEnvironment();
        await kafka.Init().ConnectProducerAsync();
        await kafka.SendAsync("user-events", new UserEvent("123", "login"), key: "123");
        // end
    }

    public static async Task Environment()
    {
        // snippet: example-from-environment
        // KAFKA_BROKERS=kafka-1:9092 KAFKA_CLIENT_ID=billing dotnet run
        await using var kafka = KafkaService.FromEnvironment(options => options.ShutdownTimeout = TimeSpan.FromSeconds(20));
        // end
    }

    public static async Task Options()
    {
        // snippet: example-options
        var options = new KafkaOptions
        {
            ClientId = "billing",
            Brokers = "kafka-1:9093,kafka-2:9093",
            ConsumerGroupId = "billing",
            Ssl = { Enabled = true },
            Sasl = { Mechanism = "scram-sha-512", Username = "billing", Password = "from a secret store" },
        };
        await using var kafka = new KafkaService(options);
        // end
    }

    public static async Task ByType(IKafkaService kafka, BillingDatabase database)
    {
        // snippet: example-by-type
        await kafka.SubscribeByTypeAsync("user-events", types => types
            .On<UserLogin>((login, context, token) => database.SawAsync(login.UserId, token))   // [MessageType("USER_LOGIN")]
            .On<UserEvent>("USER_ACTION", (action, context, token) => database.SawAsync(action.UserId, token))
            .Otherwise(UnknownTypePolicy.Skip));
        // end
    }

    public static void HostedByType(HostApplicationBuilder builder)
    {
        // snippet: example-hosted-by-type
        builder.Services.AddNaradKafka()
            .AddSubscription("user-events", types => types
                .On<UserLogin, UserProcessor>()                // [MessageType("USER_LOGIN")]
                .On<UserEvent, UserProcessor>("USER_ACTION")
                .Otherwise(UnknownTypePolicy.Skip), group: "event-processor");
        // end
    }

    public static void AddTopic(HostApplicationBuilder builder)
    {
        // snippet: example-add-topic
        builder.Services.AddNaradKafka()
            .AddTopic("messages", partitions: 6, retention: TimeSpan.FromHours(24))
            .AddTopic("customers", cleanupPolicy: TopicCleanupPolicy.Compact);
        // end
    }

    public static void AddBroadcast(HostApplicationBuilder builder)
    {
        // snippet: example-add-broadcast
        builder.Services.AddSingleton<PriceCache>();
        builder.Services.AddNaradKafka()
            .AddBroadcastSubscription<Price, PriceCache>("prices", o => o.StartPosition = StartPosition.Earliest, waitUntilCaughtUp: true);
        // end
    }

    public static async Task Broadcast(IKafkaService kafka, PriceFeed feed)
    {
        // snippet: example-broadcast
        await kafka.SubscribeBroadcastAsync<Price>("prices", (price, context, stop) => feed.HandleAsync(price, context, stop));
        // end
    }

    public static async Task CatchUp(IKafkaService kafka, PriceCache cache, CancellationToken token)
    {
        // snippet: example-caught-up
        var prices = await kafka.SubscribeBroadcastAsync<Price>("prices", cache.HandleAsync, configure: o => o.StartPosition = StartPosition.Earliest);
        await prices.UntilCaughtUpAsync(token);   // the cache is warm
        // end
    }

    public static void AddRoute(NaradKafkaBuilder kafka)
    {
        // snippet: example-add-route
        kafka.AddRoute<OrderPlaced>("orders", route => route.KeySelector = order => order.OrderId)
            .AddSubscription<OrderPlaced, BillOrder>(group: "billing");
        // end
    }

    public static async Task Routes()
    {
        // snippet: example-routes
        var options = new KafkaOptions();
        options.Routes.Add<OrderPlaced>("orders", route => route.KeySelector = order => order.OrderId);
        await using var kafka = new KafkaService(options);
        await kafka.ConnectProducerAsync();
        await kafka.SendAsync(new OrderPlaced("o-1"));
        // end
    }

    public static void Route(KafkaOptions options)
    {
        // snippet: example-route
        options.Routes.Add<OrderPlaced>("orders", route =>
        {
            route.KeySelector = order => order.OrderId;
            route.Headers.Add("origin", "shop");
        });
        // end
    }

    public static async Task Connecting(IKafkaService kafka, CancellationToken token)
    {
        // snippet: example-connect-producer
        await kafka.Init().ConnectProducerAsync(token);   // throws where no broker answers within KafkaOptions.ConnectTimeout
        await kafka.SendAsync("orders", new OrderPlaced("o-1"), cancellationToken: token);
        // end

        // snippet: example-connect-consumer
        await kafka.ConnectConsumerAsync("billing", token);
        await kafka.SubscribeAsync<OrderPlaced>("orders", (order, context, stop) => Task.CompletedTask, group: "billing", cancellationToken: token);
        // end
    }

    public static async Task Subscribing(IKafkaService kafka, BillingDatabase database)
    {
        // snippet: example-subscribe
        var subscription = await kafka.SubscribeAsync<OrderPlaced>(
            "orders",
            (order, context, token) => database.BillAsync(order.OrderId, token),
            configure: o =>
            {
                o.Retry.InMemory.MaxAttempts = 2;
                o.DeadLetter.Enabled = true;   // to "orders-dlt"
            });
        Console.WriteLine($"{subscription.Topic}: {subscription.State}");
        // end
    }

    public static async Task SubscribingToBatches(IKafkaService kafka, BillingDatabase database)
    {
        // snippet: example-subscribe-batch
        await kafka.SubscribeBatchAsync<OrderPlaced>(
            "orders",
            async (batch, token) =>
            {
                foreach (var item in batch.Items)
                {
                    await database.BillAsync(item.Message.OrderId, token);
                }
            },
            configure: o => o.MaxBatchSize = 200);
        // end
    }

    public static async Task Disconnecting(IKafkaService kafka)
    {
        // snippet: example-disconnect
        var report = await kafka.DisconnectAsync();
        Console.WriteLine($"{report.Delivered} delivered, {report.Failed} failed, {report.Unknown} unknown");
        // end
    }

    public static async Task Sending(IKafkaProducer kafka, OrderPlaced order, CancellationToken token)
    {
        // snippet: example-send
        var sent = await kafka.SendAsync("orders", order, key: order.OrderId, cancellationToken: token);
        Console.WriteLine($"{sent.Topic}[{sent.Partition}]@{sent.Offset}");
        // end
    }

    public static async Task SendingMany(IKafkaProducer kafka, List<OrderPlaced> orders, CancellationToken token)
    {
        // snippet: example-send-many
        await kafka.SendManyAsync("orders", orders, key: order => order.OrderId, cancellationToken: token);
        // end
    }

    public static async Task SendingTombstones(IKafkaProducer kafka, CancellationToken token)
    {
        // snippet: example-tombstone
        await kafka.SendTombstoneAsync("customers", key: "customer-7", cancellationToken: token);   // compaction removes the key's earlier messages
        // end
    }

    public static async Task SendingWithOptions(IKafkaProducer kafka, OrderPlaced order)
    {
        // snippet: example-send-options
        var options = new SendOptions { Headers = new MessageHeaders().Add("origin", "import") };
        await kafka.SendAsync("orders", order, key: order.OrderId, options);
        // end
    }

    public static async Task Envelopes(IKafkaProducer kafka)
    {
        // snippet: example-envelope
        await kafka.SendAsync("users", MessageEnvelope.Create(new UserLogin("123")));   // {"id":…,"type":"USER_LOGIN","version":"1.0",…,"data":{…}}
        // end
    }

    public static async Task Host(string[] args)
    {
        // snippet: example-add
        var builder = WebApplication.CreateBuilder(args);
        builder.Services.AddNaradKafka()   // section "Kafka" of the configuration, and KAFKA_* variables
            .AddSubscription<OrderPlaced, BillOrder>("orders", group: "billing");
        await builder.Build().RunAsync();
        // end
    }

    public static void Health(WebApplicationBuilder builder)
    {
        // snippet: example-health
        builder.Services.AddHealthChecks().AddNaradKafka(tags: ["ready"]);

        var app = builder.Build();
        app.MapHealthChecks("/health/ready", new() { Predicate = check => check.Tags.Contains("ready") });
        // end
    }

    public static void Subscriptions(IHostApplicationBuilder builder)
    {
        // snippet: example-subscription-options
        builder.Services.AddNaradKafka()
            .AddSubscription<OrderPlaced, BillOrder>("orders", group: "billing", o =>
            {
                o.Parallelism = 64;
                o.Retry.InMemory.MaxAttempts = 2;
                o.Retry.Topic.MaxAttempts = 3;
                o.DeadLetter.Enabled = true;
            });
        // end
    }

    public static void HostedSubscription(NaradKafkaBuilder kafka)
    {
        // snippet: example-add-subscription
        kafka.AddSubscription<OrderPlaced, BillOrder>("orders", group: "billing", o => o.DeadLetter.Enabled = true);
        // end

        // snippet: example-add-batch-subscription
        kafka.AddBatchSubscription<OrderPlaced, BillOrders>("orders", group: "billing", o =>
        {
            o.MaxBatchSize = 200;
            o.MaxBatchWait = TimeSpan.FromMilliseconds(100);
        });
        // end
    }

    public static async Task Contexts(IKafkaService kafka)
    {
        // snippet: example-context
        await kafka.SubscribeAsync<OrderPlaced>("orders", (order, context, token) =>
        {
            Console.WriteLine($"{context.Topic}[{context.Partition}]@{context.Offset}, key {context.Key}, attempt {context.Attempt}");
            return Task.CompletedTask;
        });
        // end
    }

    public static async Task Decisions(IKafkaService kafka, BillingDatabase database)
    {
        // snippet: example-retry-later
        await kafka.SubscribeAsync<OrderPlaced>("orders", async (order, context, token) =>
        {
            if (await database.IsLockedAsync(order.OrderId, token))
            {
                throw new RetryLaterException(TimeSpan.FromMinutes(10));
            }
        });
        // end

        // snippet: example-dead-letter
        await kafka.SubscribeAsync<OrderPlaced>(
            "orders",
            (order, context, token) => order.OrderId.Length == 0 ? throw new DeadLetterException("an order without an id") : Task.CompletedTask,
            configure: o => o.DeadLetter.Enabled = true);
        // end
    }

    public static async Task StoppedPartitions(ISubscription subscription)
    {
        // snippet: example-resume
        foreach (var stopped in subscription.StoppedPartitions)
        {
            Console.WriteLine($"{stopped.Partition} stopped at {stopped.Offset}: {stopped.Reason.Message}");
            await subscription.ResumeAsync(stopped.Partition);   // handles the same message again
        }
        // end

        // snippet: example-skip
        foreach (var stopped in subscription.StoppedPartitions)
        {
            await subscription.SkipFailedMessageAsync(stopped.Partition);   // never handled: counted, and logged with its offset
        }
        // end
    }

    public static async Task DeadLetters(IKafkaService kafka)
    {
        // snippet: example-dead-letters
        await foreach (var letter in kafka.DeadLetters.BrowseAsync("orders-dlt", new DeadLetterFilter { Group = "billing" }))
        {
            Console.WriteLine($"{letter.SourceTopic}, key {letter.Key}: {letter.ExceptionMessage}");
        }

        var report = await kafka.DeadLetters.RedriveAsync("orders-dlt", new RedriveOptions { Filter = new DeadLetterFilter { Group = "billing" } });
        Console.WriteLine($"{report.Sent} sent again");
        // end
    }

    public static async Task Topics(IKafkaService kafka)
    {
        // snippet: example-topics
        await kafka.Topics.CreateIfNotExistsAsync([new TopicSpec("orders", Partitions: 12)]);
        // end
    }

    public static async Task Outbox(
        IOutbox outbox, IMongoClient client, IMongoCollection<OrderPlaced> orders, OrderPlaced order, CancellationToken token)
    {
        // snippet: example-outbox
        // MongoDB: the order and its event commit together, or not at all.
        using var session = await client.StartSessionAsync(cancellationToken: token);
        await session.WithTransactionAsync(async (transaction, stop) =>
        {
            await orders.InsertOneAsync(transaction, order, cancellationToken: stop);
            return await outbox.WithSession(transaction).EnqueueAsync("orders", order, key: order.OrderId, cancellationToken: stop);
        }, cancellationToken: token);
        // end
    }

    public static void AddOutbox(WebApplicationBuilder builder)
    {
        // snippet: example-add-outbox
        builder.Services.AddNaradKafka()
            .AddMongo()
            .AddOutbox();
        builder.Services.AddHealthChecks().AddNaradKafka().AddNaradKafkaOutbox();
        // end
    }

    public static async Task Examining()
    {
        // snippet: example-doctor
        var report = await new KafkaDoctor(KafkaOptions.FromEnvironment()).ExamineAsync("test-topic");
        report.WriteTo(Console.Out);
        // end
    }

    public static async Task Harness(EmbeddedKafka embedded)
    {
        // snippet: example-harness
        var harness = new KafkaHarness();
        await using var kafka = harness.Create(embedded.CreateOptions());
        await kafka.ConnectProducerAsync();
        await kafka.ConnectConsumerAsync("billing");
        await kafka.SubscribeAsync<OrderPlaced>("orders", (order, context, token) => Task.CompletedTask);

        await kafka.SendAsync("orders", new OrderPlaced("42"));
        var handled = await harness.WaitForHandledAsync<OrderPlaced>(order => order.OrderId == "42");
        // end
        _ = handled;
    }

    public static async Task HandlerAlone(BillingDatabase database)
    {
        // snippet: example-test-context
        await new BillOrder(database).HandleAsync(new OrderPlaced("o-1"), TestMessageContext.Create("orders", key: "o-1"), CancellationToken.None);
        // end
    }
}

// snippet: example-producer
public sealed class Checkout(IKafkaProducer kafka)
{
    public async Task PlaceAsync(OrderPlaced order, CancellationToken token) =>
        await kafka.SendAsync("orders", order, key: order.OrderId, cancellationToken: token);
}
// end

// snippet: example-embedded
public sealed class CheckoutTests(EmbeddedKafka embedded) : IClassFixture<EmbeddedKafka>
{
    [Fact]
    public async Task A_placed_order_is_sent()
    {
        await using var kafka = new KafkaService(embedded.CreateOptions());
        await kafka.ConnectProducerAsync();

        var sent = await kafka.SendAsync("orders", new OrderPlaced("o-1"), key: "o-1");

        Assert.Equal(0, sent.Offset);
    }
}
// end
