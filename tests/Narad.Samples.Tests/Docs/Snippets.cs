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
        builder.Services.AddNaradKafka()      // section "Kafka" of the configuration, and KAFKA_* variables
            .AddSubscription<OrderPlaced, BillOrder>("orders", group: "billing", o =>
            {
                o.Parallelism = 64;
                o.Retry.InMemory.MaxAttempts = 2;     // two immediate retries
                o.Retry.Topic.MaxAttempts = 3;        // then through orders-retry after 2, 4 and 8 s; nothing else waits
                o.DeadLetter.Enabled = true;          // then to orders-dlt, where you browse and redrive it
            });
        builder.Services.AddHealthChecks().AddNaradKafka();
        // end
    }

    public static void Health(HostApplicationBuilder builder)
    {
        // snippet: health
        builder.Services.AddNaradKafka();
        builder.Services.AddHealthChecks().AddNaradKafka();   // the check "kafka"
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
            configure: o =>
            {
                o.Retry.InMemory.MaxAttempts = 3;
                o.Retry.InMemory.Delay = TimeSpan.FromSeconds(1);                        // then 2 and 4 s
                o.Retry.InMemory.BackoffType = DelayBackoffType.Exponential;
                o.Retry.InMemory.UseJitter = true;
                o.Retry.ExceptionActions[typeof(FormatException)] = FailureAction.DeadLetter;   // at once; an exception's causes count
                o.Retry.ExceptionActions[typeof(OperationCanceledException)] = FailureAction.Stop;
                o.Retry.ActionSelector = failed => failed.Context.Attempt > 1 && failed.Error is ArgumentException ? FailureAction.Skip : null;
                o.DeadLetter.Enabled = true;                                             // to "orders-dlt"
            });
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
            configure: o =>
            {
                o.Retry.InMemory.MaxAttempts = 2;                                        // first, holding the key
                o.Retry.InMemory.Delay = TimeSpan.FromMilliseconds(200);
                o.Retry.Topic.MaxAttempts = 3;                                           // then through "orders-retry" after 2, 4 and 8 s
                o.Retry.ExceptionActions[typeof(IOException)] = FailureAction.RetryLater;   // or there at once
                o.DeadLetter.Enabled = true;                                             // and at last to "orders-dlt"
            });
        // end
    }

    public static async Task PreserveKeyOrder(IKafkaService kafka, BillingDatabase database)
    {
        // snippet: preserve-key-order
        await kafka.SubscribeAsync<OrderPlaced>(
            "orders",
            (order, context, token) => database.BillAsync(order.OrderId, token),
            configure: o =>
            {
                o.Order = MessageOrder.ByKey;
                o.Retry.Topic.MaxAttempts = 3;
                o.Retry.PreserveKeyOrder = true;      // AfterDeadLetter says what happens to the key when a message becomes a dead letter
            });
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
            configure: o =>
            {
                o.ExactlyOnce.Enabled = true;
                o.ExactlyOnce.InstanceName = "billing-1";
                o.Retry.InMemory.MaxAttempts = 2;
                o.DeadLetter.Enabled = true;
            });
        // end
    }

    public static async Task Circuit(IKafkaService kafka, BillingDatabase database)
    {
        // snippet: circuit
        var billing = await kafka.SubscribeAsync<OrderPlaced>(
            "orders",
            (order, context, token) => database.BillAsync(order.OrderId, token),
            configure: o =>
            {
                o.Retry.InMemory.MaxAttempts = 2;                                    // the messages that failed first are still here when it opens
                o.Retry.InMemory.Delay = TimeSpan.FromSeconds(2);
                o.DeadLetter.Enabled = true;
                o.Timeout = TimeSpan.FromSeconds(20);                                // a handler that hangs fails in the end
                o.CircuitBreaker.Enabled = true;
                o.CircuitBreaker.FailureRatio = 0.5;
                o.CircuitBreaker.MinimumThroughput = 20;
                o.CircuitBreaker.SamplingDuration = TimeSpan.FromSeconds(30);
                o.CircuitBreaker.BreakDuration = TimeSpan.FromSeconds(5);            // twice as long each time, up to MaxBreakDuration
                o.CircuitBreaker.ExceptionTypes.Add(typeof(TimeoutException));       // an exception's causes count; without types all failures do
                o.CircuitBreaker.ExceptionTypes.Add(typeof(System.Data.Common.DbException));
            });

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

        var one = await kafka.DeadLetters.GetAsync(new TopicPartitionOffsetId("orders-dlt", 3, 17));
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

    public static async Task Redriving(IKafkaService kafka, DeadLetter one, CancellationToken token)
    {
        // snippet: redriving
        var billing = new RedriveOptions { Filter = new DeadLetterFilter { Group = "billing" }, MaxPerSecond = 200 };
        var ahead = await kafka.DeadLetters.RedriveAsync("orders-dlt", billing with { DryRun = true }, cancellationToken: token);
        Console.WriteLine($"{ahead.Sent} would be sent again.");

        var report = await kafka.DeadLetters.RedriveAsync(
            "orders-dlt", billing, new Progress<RedriveProgress>(now => Console.WriteLine($"{now.Sent} sent, {now.Remaining} to go")), token);
        Console.WriteLine($"{report.Sent} sent again, {report.Skipped.Values.Sum()} skipped.");

        await kafka.DeadLetters.RedriveAsync(one, cancellationToken: token);   // or only the one of the first example
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

    public static async Task InMemoryRetries(IKafkaService kafka, BillingDatabase database)
    {
        // snippet: in-memory-retries
        var subscription = await kafka.SubscribeAsync<OrderPlaced>(
            "orders",
            (order, context, token) => database.BillAsync(order.OrderId, token),
            configure: o =>
            {
                o.Retry.InMemory.MaxAttempts = 3;
                o.Retry.InMemory.Delay = TimeSpan.FromSeconds(1);                 // then 2 and 3 s
                o.Retry.InMemory.BackoffType = DelayBackoffType.Linear;
                o.Retry.InMemory.ShouldHandle = error => error is TimeoutException;
                o.Timeout = TimeSpan.FromSeconds(20);
                o.OnUnhandled = UnhandledPolicy.StopPartition;
            });
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
        await subscription.SeekToBeginningAsync();                                      // from their first messages

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
            configure: o => (o.MaxBatchSize, o.MaxBatchWait) = (200, TimeSpan.FromMilliseconds(100)));
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
                .On<UserEvent>("USER_ACTION", (action, context, token) => database.SawAsync(action.UserId, token))
                .Otherwise(UnknownTypePolicy.Skip));
        // end
    }

    public static void HostedByType(IServiceCollection services)
    {
        // snippet: hosted-by-type
        services.AddNaradKafka()
            .AddSubscription("users", types => types
                .On<UserLogin, UserProcessor>()                // "USER_LOGIN", as its [MessageType] says
                .On<UserEvent, UserProcessor>("USER_ACTION")
                .Otherwise(UnknownTypePolicy.DeadLetter), group: "users-seen", o => o.DeadLetter.Enabled = true);
        // end
    }

    public static void Otherwise(MessageTypeMap types)
    {
        // snippet: by-type-otherwise
        types.Otherwise((unknown, context, token) =>
        {
            Console.WriteLine($"{context}: nobody handles \"{unknown.Type}\", {context.RawValue?.Length} bytes");
            return Task.CompletedTask;
        });
        // end
    }

    public static void TypeSources(IServiceCollection services)
    {
        // snippet: by-type-source
        services.AddNaradKafka()
            .AddSubscription("users", types => types
                .TypeFromProperty("kind")   // or .TypeFromHeader("message-type"), or .TypeFrom(context => context.Key.AsText()?.Split(':')[0])
                .On<UserLogin, UserProcessor>("login"), group: "users-seen");
        // end
    }

    public static void DerivedTypes(IServiceCollection services)
    {
        // snippet: by-type-derived
        services.AddNaradKafka()
            .AddSubscription("payments", types => types
                .On<Payment, BookPayment>()
                .Derived<CardPayment>()                        // read as CardPayment, handled by BookPayment
                .Derived<CardPayment>("CREDIT_CARD_PAYMENT")   // another name of the same type
                .On<Refund, BookRefund>(), group: "books");    // derived from Payment too, with a handler of its own
        // end
    }

    public static void BatchesByType(IServiceCollection services)
    {
        // snippet: by-type-batch
        services.AddNaradKafka()
            .AddBatchSubscription<Payment, StorePayments>("payments", types => types
                .Derived<CardPayment>()
                .Derived<Refund>()
                .Otherwise(UnknownTypePolicy.Skip), group: "archive");
        // end
    }

    public static void Routes(IServiceCollection services)
    {
        // snippet: routes
        services.AddNaradKafka()
            .AddRoute<OrderPlaced>("orders", route =>
            {
                route.KeySelector = order => order.OrderId;
                route.Headers.Add("origin", "shop");
            })
            .AddSubscription<OrderPlaced, BillOrder>(group: "billing");
        // end
    }

    public static async Task SendByRoute(IKafkaProducer kafka, OrderPlaced order, IEnumerable<OrderPlaced> orders, CancellationToken token)
    {
        // snippet: send-by-route
        await kafka.SendAsync(order, cancellationToken: token);
        await kafka.SendManyAsync(orders, cancellationToken: token);
        await kafka.SendTombstoneAsync<OrderPlaced>(key: "o-1", cancellationToken: token);
        // end
    }

    public static async Task TestingAHost(EmbeddedKafka embedded)
    {
        // snippet: testing-a-host
        var builder = Host.CreateApplicationBuilder();
        builder.Services.AddNaradKafkaHarness();
        builder.Services.AddSingleton<BillingDatabase>();
        builder.Services.AddNaradKafka(options => embedded.Apply(options))   // embedded: the fixture
            .AddSubscription<OrderPlaced, BillOrder>("orders", group: "billing");
        using var host = builder.Build();
        await host.StartAsync();

        await host.Services.GetRequiredService<IKafkaProducer>().SendAsync("orders", new OrderPlaced("o-1"));

        await host.Services.GetRequiredService<KafkaHarness>().WaitForHandledAsync<OrderPlaced>(order => order.OrderId == "o-1");
        await host.StopAsync();
        // end
    }

    public static async Task RoutesWithoutAHost(BillingDatabase database)
    {
        // snippet: routes-without-a-host
        var options = KafkaOptions.FromEnvironment();
        options.Routes.Add<OrderPlaced>("orders", route => route.KeySelector = order => order.OrderId);
        await using var kafka = new KafkaService(options);
        await kafka.ConnectProducerAsync();
        await kafka.ConnectConsumerAsync("billing");
        await kafka.SubscribeAsync<OrderPlaced>((order, context, token) => database.BillAsync(order.OrderId, token));
        await kafka.SendAsync(new OrderPlaced("o-1"));
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
            .AddBatchSubscription<OrderPlaced, BillOrders>("orders", group: "billing", o =>
            {
                o.MaxBatchSize = 200;
                o.MaxBatchWait = TimeSpan.FromMilliseconds(100);
            });
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

// snippet: handlers-by-type
public sealed class UserProcessor(BillingDatabase database) : IMessageHandler<UserLogin>, IMessageHandler<UserEvent>
{
    public Task HandleAsync(UserLogin message, MessageContext context, CancellationToken cancellationToken) =>
        database.SawAsync(message.UserId, cancellationToken);

    public Task HandleAsync(UserEvent message, MessageContext context, CancellationToken cancellationToken) =>
        database.SawAsync(message.UserId, cancellationToken);
}
// end

// snippet: derived-types
public record Payment(string Id);

public sealed record CardPayment(string Id, string Card) : Payment(Id);

public sealed record Refund(string Id, string Reason) : Payment(Id);
// end

public sealed class BookPayment : IMessageHandler<Payment>
{
    public Task HandleAsync(Payment message, MessageContext context, CancellationToken cancellationToken) => Task.CompletedTask;
}

public sealed class StorePayments : IBatchHandler<Payment>
{
    public Task HandleAsync(MessageBatch<Payment> batch, CancellationToken cancellationToken) => Task.CompletedTask;
}

public sealed class BookRefund : IMessageHandler<Refund>
{
    public Task HandleAsync(Refund message, MessageContext context, CancellationToken cancellationToken) => Task.CompletedTask;
}

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

// snippet: first-message
public sealed record UserEvent(string UserId, string Action);
// end

// snippet: an-order
public sealed record OrderPlaced(string OrderId);
// end

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
        cancellationToken.IsCancellationRequested ? Task.FromCanceled<(string, DateTimeOffset)>(cancellationToken)
            : Task.FromResult((name, DateTimeOffset.UtcNow.AddHours(1)));
}

// snippet: billing-database
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

    public Task<bool> IsLockedAsync(string order, CancellationToken cancellationToken) =>
        Task.FromResult(order.Length == 0 && !cancellationToken.IsCancellationRequested);

    public Task SawAsync(string user, CancellationToken cancellationToken) => BillAsync(user, cancellationToken);
}
// end
