using System.Text.Json.Serialization;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Narad.Kafka;
using Narad.Kafka.Testing;

namespace Narad.Samples.Tests.Docs;

/// <summary>The code of README.md and docs/: compiled here, compared with the pages by <see cref="DocsTests"/>, and where it can run, run.</summary>
public static class Snippets
{
    public static async Task FirstTenLines()
    {
        // snippet: first-ten-lines
        await using var kafka = KafkaService.FromEnvironment();   // KAFKA_BROKERS=… or KAFKA_MODE=Embedded for no broker at all

        await kafka.Init().ConnectProducerAsync();
        await kafka.ConnectConsumerAsync("my-consumer-group");
        var handled = new TaskCompletionSource();
        await kafka.SubscribeAsync<UserEvent>("user-events", async (message, context, token) =>
        {
            await Console.Out.WriteLineAsync($"{message.UserId} did {message.Action} ({context.Topic}[{context.Partition}] {context.Offset})");
            handled.TrySetResult();
        });

        await kafka.SendAsync("user-events", new UserEvent("123", "login"), key: "123");
        await handled.Task;   // a program that ends here at once would be gone before the message arrives
        // end
    }

    public static async Task Examining()
    {
        // snippet: doctor
        var report = await new KafkaDoctor(KafkaOptions.FromEnvironment()).ExamineAsync("test-topic");
        report.WriteTo(Console.Out);   // the steps with their times; the last line is "Kafka connection successful" or "Kafka connection failed: …"
        // end
    }

    public static void WithAHost(HostApplicationBuilder builder)
    {
        // snippet: with-a-host
        builder.Services.AddNaradKafka(builder.Configuration)      // section "Kafka" and KAFKA_* variables
            .AddSubscription<OrderPlaced, BillOrder>("orders", group: "billing", s => s
                .Parallelism(64)
                .Retry(r => r.InMemory(2).Topics(attempts: 3))          // twice at once, then after 2, 4 and 8 s, holding up nothing
                .DeadLetter());                                         // then to orders-dlt, to be looked at and sent again
        builder.Services.AddHealthChecks().AddNaradKafka();
        // end
    }

    public static void TokenSources(KafkaOptions options, SecretVault vault)
    {
        // snippet: a-token-source
        options.Sasl.Mechanism = "oauthbearer";
        options.Sasl.TokenProvider = async token =>
        {
            var secret = await vault.ReadAsync("kafka", token);   // however slow: it holds up nothing
            return new OAuthBearerToken(secret.Value, secret.ExpiresAt, Principal: "billing");
        };
        // end
    }

    public static void IdentityProvider(KafkaOptions options, string secret, System.Net.IWebProxy proxy)
    {
        // snippet: an-identity-provider-through-a-proxy
        options.Sasl.Mechanism = "oauthbearer";
        options.Sasl.TokenProvider = new OidcTokenProvider(
            new OidcOptions { ClientId = "billing", ClientSecret = secret, TokenEndpoint = "https://login.example.com/oauth2/token", Scope = "kafka" },
            new HttpClient(new SocketsHttpHandler { Proxy = proxy })).GetAsync;
        // end
    }

    public static void TokensForTests(KafkaOptions options)
    {
        // snippet: an-unsecured-token
        options.Sasl.Mechanism = "oauthbearer";
        options.Sasl.TokenProvider = _ => ValueTask.FromResult(UnsecuredToken.Create("billing", TimeSpan.FromMinutes(5)));
        // end
    }

    public static async Task Sending(IKafkaService kafka, List<OrderPlaced> orders, CancellationToken token)
    {
        // snippet: sending
        // One: completes when the broker acknowledged.
        SendResult written = await kafka.SendAsync("orders", new OrderPlaced("o-1"), key: "customer-7", cancellationToken: token);

        // Many: in order, without waiting for one before sending the next.
        await kafka.SendManyAsync("orders", orders, key: order => order.OrderId, cancellationToken: token);

        // Headers, partition, timestamp; bytes and text go as they are; a tombstone deletes a key from a compacted topic.
        await kafka.SendAsync("orders", "plain text", key: 42L, new SendOptions { Headers = new MessageHeaders().Add("origin", "import"), Partition = 3 });
        await kafka.SendTombstoneAsync("orders", key: "customer-7");
        // end
        _ = written;
    }

    public static async Task Failing(IKafkaService kafka, OrderPlaced order)
    {
        // snippet: send-failures
        try
        {
            await kafka.SendAsync("orders", order);
        }
        catch (KafkaNotConnectedException)
        {
            // ConnectProducerAsync has not completed, or the service was disconnected.
        }
        catch (KafkaSendException failure) when (failure.Retriable)
        {
            // Sending again may succeed; if failure.MayHaveBeenWritten it may also duplicate.
        }
        // end
    }

    public static async Task DeadLetters(IKafkaService kafka, BillingDatabase database)
    {
        // snippet: deadletters
        await kafka.SubscribeAsync<OrderPlaced>(
            "orders",
            (order, context, token) => order.OrderId.Length == 0
                ? throw new DeadLetterException("an order without an id")                // the handler decides, whatever the policy says
                : database.BillAsync(order.OrderId, token),
            configure: s => s
                .Retry(r => r
                    .InMemory(3, Backoff.Exponential(TimeSpan.FromSeconds(1), max: TimeSpan.FromSeconds(30)).WithJitter(0.2))
                    .On<FormatException>(FailureAction.DeadLetter)                       // at once; an exception's causes count
                    .On<OperationCanceledException>(FailureAction.Stop)
                    .Decide(failed => failed.Context.Attempt > 1 && failed.Error is ArgumentException ? FailureAction.Skip : null))
                .DeadLetter());                                                          // to "orders-dlt"
        // end
    }

    public static async Task RetryTopics(IKafkaService kafka, BillingDatabase database)
    {
        // snippet: retry-topics
        await kafka.SubscribeAsync<OrderPlaced>(
            "orders",
            async (order, context, token) =>
            {
                if (await database.IsLockedAsync(order.OrderId, token))
                {
                    throw new RetryLaterException(TimeSpan.FromMinutes(10));             // the handler decides, whatever the policy says
                }

                await database.BillAsync(order.OrderId, token);
            },
            configure: s => s
                .Retry(r => r
                    .InMemory(2, Backoff.Fixed(TimeSpan.FromMilliseconds(200)))          // first, holding the key
                    .Topics(attempts: 3)                                                 // then through "orders-retry" after 2, 4 and 8 s
                    .On<IOException>(FailureAction.RetryLater))                          // or there at once
                .DeadLetter());                                                          // and at last to "orders-dlt"
        // end
    }

    public static async Task ParkKey(IKafkaService kafka, BillingDatabase database)
    {
        // snippet: park-key
        await kafka.SubscribeAsync<OrderPlaced>(
            "orders",
            (order, context, token) => database.BillAsync(order.OrderId, token),
            configure: s => s
                .OrderedByKey()
                .Retry(r => r.Topics(attempts: 3).ParkKey()));          // or ParkKey(AfterDeadLetter.DeadLetterKey)
        // end
    }

    public static async Task ExactlyOnce(IKafkaService kafka)
    {
        // snippet: exactly-once
        await kafka.SubscribeAsync<OrderPlaced>(
            "orders",
            async (order, context, token) =>
            {
                await context.SendAsync("invoices", new OrderPlaced(order.OrderId), key: order.OrderId, cancellationToken: token);   // in the transaction
            },
            configure: s => s
                .ExactlyOnce(e => e.MaxMessages(500).InstanceName("billing-1"))
                .Retry(r => r.InMemory(2))
                .DeadLetter());
        // end
    }

    public static async Task Circuit(IKafkaService kafka, BillingDatabase database)
    {
        // snippet: circuit
        var billing = await kafka.SubscribeAsync<OrderPlaced>(
            "orders",
            (order, context, token) => database.BillAsync(order.OrderId, token),
            configure: s => s
                .Retry(r => r.InMemory(2, Backoff.Fixed(TimeSpan.FromSeconds(2))))   // so that those who failed first are still here when it opens
                .DeadLetter()
                .Timeout(TimeSpan.FromSeconds(20))                                   // so that one that hangs tells in the end
                .CircuitBreaker(c => c
                    .FailureRate(0.5).MinimumMessages(20).Window(TimeSpan.FromSeconds(30))
                    .ProbeAfter(TimeSpan.FromSeconds(5), max: TimeSpan.FromMinutes(1))
                    .On<TimeoutException>()                                          // an exception's causes count; without any On all failures do
                    .On<System.Data.Common.DbException>()));

        Console.WriteLine(billing.CircuitState);   // Closed, Open or HalfOpen
        // end
    }

    public static async Task LookingAtDeadLetters(IKafkaService kafka)
    {
        // snippet: browsing-dead-letters
        var recent = new DeadLetterFilter { From = DateTimeOffset.UtcNow - TimeSpan.FromDays(1), ExceptionType = "TimeoutException" };
        Console.WriteLine($"{await kafka.DeadLetters.CountAsync("orders-dlt", recent)} of {await kafka.DeadLetters.CountAsync("orders-dlt")}");

        await foreach (var letter in kafka.DeadLetters.BrowseAsync("orders-dlt", recent))
        {
            Console.WriteLine($"{letter} from {letter.SourceTopic}, key {letter.Key}, for {letter.Group}: {letter.ExceptionMessage}");
        }

        var one = await kafka.DeadLetters.GetAsync(new TopicPartitionId("orders-dlt", 3), offset: 17);
        var order = await one!.ReadAsync<OrderPlaced>();   // through the service's deserializer
        // end

        // snippet: paging-dead-letters
        DeadLetterPage page = await kafka.DeadLetters.GetPageAsync("orders-dlt", recent, size: 50);
        while (page.Continuation is { } next)   // text that may go to a browser and come back
        {
            page = await kafka.DeadLetters.GetPageAsync("orders-dlt", recent, size: 50, after: next);
        }
        // end
        _ = order;
    }

    public static async Task Redriving(IKafkaService kafka, DeadLetter letter, CancellationToken token)
    {
        // snippet: redriving
        var billing = new RedriveOptions { Filter = new DeadLetterFilter { Group = "billing" }, MaxPerSecond = 200 };
        var ahead = await kafka.DeadLetters.RedriveAsync("orders-dlt", billing with { DryRun = true }, cancellationToken: token);
        Console.WriteLine($"{ahead.Sent} would be sent again.");

        var report = await kafka.DeadLetters.RedriveAsync(
            "orders-dlt", billing, new Progress<RedriveProgress>(now => Console.WriteLine($"{now.Sent} sent, {now.Remaining} to go")), token);
        Console.WriteLine($"{report.Sent} sent again, {report.Skipped.Values.Sum()} passed over.");

        await kafka.DeadLetters.RedriveAsync(letter, cancellationToken: token);   // or one
        // end

        // snippet: deleting-dead-letters
        await kafka.DeadLetters.DeleteAsync("orders-dlt", report.Positions, cancellationToken: token);   // all up to where the redrive went
        // end

        // snippet: a-topic-s-retention
        TopicDetails? details = await kafka.Topics.GetDetailsAsync("orders-dlt", token);
        if (details is { Retention: not null })
        {
            await kafka.Topics.SetRetentionAsync("orders-dlt", retention: null, token);   // for ever
        }
        // end
    }

    public static async Task Repetitions(IKafkaService kafka, BillingDatabase database)
    {
        // snippet: repetitions
        var subscription = await kafka.SubscribeAsync<OrderPlaced>(
            "orders",
            (order, context, token) => database.BillAsync(order.OrderId, token),
            configure: s => s
                .Retry(r => r.InMemory(3, repetition => TimeSpan.FromSeconds(repetition), when: error => error is TimeoutException))
                .Timeout(TimeSpan.FromSeconds(20))
                .OnUnhandled(UnhandledPolicy.StopPartition));
        // end

        // snippet: resuming
        foreach (var stopped in subscription.StoppedPartitions)
        {
            Console.WriteLine($"{stopped.Partition} stopped at {stopped.Offset}: {stopped.Reason.Message}");
            await subscription.ResumeAsync(stopped.Partition);       // the same message again, then the rest
            // or: await subscription.SkipFailedMessageAsync(stopped.Partition);  // leave that message out, counted and logged
        }
        // end
    }

    public static async Task Control(ISubscription subscription)
    {
        // snippet: control
        await subscription.PauseAllAsync();     // nothing starts any more; what runs finishes; the member stays in its group
        await subscription.ResumeAllAsync();

        var first = subscription.Assignment[0];
        await subscription.PauseAsync(first);   // one partition, also when it goes and comes back
        await subscription.ResumeAsync(first);

        await subscription.SeekAsync(first, offset: 1_000);                           // handle again from there, or leave out what is between
        await subscription.SeekAsync(DateTimeOffset.UtcNow - TimeSpan.FromHours(1));  // all partitions of this process
        await subscription.SeekToBeginningAsync();                                             // from their first messages

        await subscription.StopAsync();         // this subscription alone; the topic can be subscribed to again
        // end
    }

    public static async Task Batches(IKafkaService kafka, BillingDatabase database)
    {
        // snippet: batches
        await kafka.SubscribeBatchAsync<OrderPlaced>(
            "orders",
            async (batch, token) =>
            {
                for (var i = 0; i < batch.Items.Count; i++)
                {
                    try
                    {
                        await database.BillAsync(batch.Items[i].Message.OrderId, token);
                    }
                    catch (TimeoutException error)
                    {
                        throw new BatchFailedException(i, error);   // those before it are finished
                    }
                }
            },
            configure: s => s.MaxBatchSize(200).MaxBatchWait(TimeSpan.FromMilliseconds(100)));
        // end
    }

    public static async Task ByType(IKafkaService kafka, BillingDatabase database)
    {
        // snippet: by-type
        await kafka.SendAsync("users", MessageEnvelope.Create(new UserLogin("123")));   // {"id":…,"type":"USER_LOGIN","version":"1.0",…,"data":{…}}

        await kafka.SubscribeByTypeAsync(
            "users",
            types => types
                .On<UserLogin>((login, context, token) => database.SawAsync(login.UserId, token))
                .On<UserEvent>("USER_ACTION", (action, context, token) => database.SawAsync(action.UserId, token)),
            configure: s => s.OnUnknownType(UnknownTypePolicy.Fail));
        // end
    }

    public static void SourceGenerated()
    {
        // snippet: source-generated-json
        var options = new KafkaOptions { Json = OrderJson.Default.Options };
        // end
        _ = options;
    }

    public static void HostedBatches(IServiceCollection services)
    {
        // snippet: hosted-batches
        services.AddNaradKafka()
            .AddBatchSubscription<OrderPlaced, BillOrders>("orders", group: "billing", s => s.MaxBatchSize(200).MaxBatchWait(TimeSpan.FromMilliseconds(100)));
        // end
    }

    public static void HostedByType(IServiceCollection services)
    {
        // snippet: hosted-by-type
        services.AddNaradKafka();
        services.AddHostedService<UserSubscription>();   // after AddNaradKafka, so that it starts after it
        // end
    }

    public static void UsingMiddleware(IServiceCollection services)
    {
        // snippet: using-middleware
        services.AddNaradKafka()
            .UseConsumeMiddleware<Timing>()
            .UseSendMiddleware<Stamping>();
        // end
    }
}

public sealed class BillOrderTests
{
    // snippet: testing-a-handler
    [Fact]
    public async Task A_placed_order_is_billed()
    {
        var database = new BillingDatabase();

        await new BillOrder(database).HandleAsync(new OrderPlaced("o-1"), TestMessageContext.Create("orders", key: "customer-7"), CancellationToken.None);

        database.Billed.Should().Equal("o-1");
    }
    // end
}

// snippet: a-handler
public sealed class BillOrder(BillingDatabase database) : IMessageHandler<OrderPlaced>
{
    public async Task HandleAsync(OrderPlaced message, MessageContext context, CancellationToken cancellationToken) =>
        await database.BillAsync(message.OrderId, cancellationToken);
}
// end

// snippet: reading-a-header
public sealed class BillImported(BillingDatabase database) : IMessageHandler<OrderPlaced>
{
    public async Task HandleAsync(OrderPlaced message, MessageContext context, CancellationToken cancellationToken)
    {
        if (context.Headers.GetText("origin") is "import")   // null where there is no such header; the last one where there are several
        {
            await database.BillAsync(message.OrderId, cancellationToken);
        }
    }
}
// end

// snippet: a-batch-handler
public sealed class BillOrders(BillingDatabase database) : IBatchHandler<OrderPlaced>
{
    public async Task HandleAsync(MessageBatch<OrderPlaced> batch, CancellationToken cancellationToken)
    {
        foreach (var item in batch.Items)
        {
            await database.BillAsync(item.Message.OrderId, cancellationToken);
        }
    }
}
// end

// snippet: a-hosted-service-by-type
public sealed class UserSubscription(IKafkaService kafka, BillingDatabase database) : IHostedService
{
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        await kafka.ConnectConsumerAsync("users-seen", cancellationToken);
        await kafka.SubscribeByTypeAsync(
            "users",
            types => types.On<UserLogin>((login, context, token) => database.SawAsync(login.UserId, token)),
            group: "users-seen",
            cancellationToken: cancellationToken);
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;   // Narad.Kafka's own hosted service disconnects
}
// end

// snippet: a-send-middleware
public sealed class Stamping : ISendMiddleware
{
    public ValueTask<SendResult> SendAsync(OutgoingMessage message, SendDelegate next, CancellationToken cancellationToken)
    {
        message.Headers.Add("origin", "shop");   // this message's own copy
        return next(message, cancellationToken);
    }
}
// end

// snippet: a-middleware
public sealed class Timing : IConsumeMiddleware
{
    public async Task HandleAsync(object? message, MessageContext context, ConsumeDelegate next, CancellationToken cancellationToken)
    {
        var started = TimeProvider.System.GetTimestamp();
        try
        {
            await next(message, context, cancellationToken);
        }
        finally
        {
            Console.WriteLine($"{context.Topic} took {TimeProvider.System.GetElapsedTime(started)}");
        }
    }
}
// end

// snippet: testing-with-a-harness
public sealed class BillingTests(EmbeddedKafka embedded) : IClassFixture<EmbeddedKafka>
{
    [Fact]
    public async Task Orders_that_are_sent_are_billed()
    {
        var harness = new KafkaHarness();
        await using var kafka = harness.Create(embedded.CreateOptions());
        var database = new BillingDatabase();
        await kafka.ConnectProducerAsync();
        await kafka.ConnectConsumerAsync("billing");
        await kafka.SubscribeAsync<OrderPlaced>("orders", (order, _, token) => database.BillAsync(order.OrderId, token));

        await kafka.SendAsync("orders", new OrderPlaced("o-1"));

        await harness.WaitForHandledAsync<OrderPlaced>(order => order.OrderId == "o-1");   // or WaitForPublishedAsync, WaitForStoppedAsync …; with a deadline, without a sleep
        database.Billed.Should().Equal("o-1");
    }
}
// end

public sealed record UserEvent(string UserId, string Action);

public sealed record OrderPlaced(string OrderId);

// snippet: a-message-type
[MessageType("USER_LOGIN")]
public sealed record UserLogin(string UserId);
// end

// snippet: a-json-context
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(OrderPlaced))]
public sealed partial class OrderJson : JsonSerializerContext;
// end

public sealed class SecretVault
{
    public Task<(string Value, DateTimeOffset ExpiresAt)> ReadAsync(string name, CancellationToken cancellationToken) =>
        cancellationToken.IsCancellationRequested ? Task.FromCanceled<(string, DateTimeOffset)>(cancellationToken) : Task.FromResult((name, DateTimeOffset.UtcNow.AddHours(1)));
}

public sealed class BillingDatabase
{
    private readonly System.Collections.Concurrent.ConcurrentQueue<string> _billed = new();

    public IReadOnlyCollection<string> Billed => _billed;

    public Task BillAsync(string order, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        _billed.Enqueue(order);
        return Task.CompletedTask;
    }

    public Task<bool> IsLockedAsync(string order, CancellationToken cancellationToken) => Task.FromResult(order.Length == 0 && !cancellationToken.IsCancellationRequested);

    public Task SawAsync(string user, CancellationToken cancellationToken) => BillAsync(user, cancellationToken);
}
