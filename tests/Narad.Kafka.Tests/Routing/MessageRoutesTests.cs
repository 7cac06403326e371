using System.Collections.Concurrent;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Narad.Kafka.Tests.Service;

namespace Narad.Kafka.Tests.Routing;

/// <summary>Messages that are sent and subscribed to by their type: topic, key, headers and serializer are those of the route.</summary>
public sealed class MessageRoutesTests
{
    [Fact]
    public async Task A_message_is_sent_by_its_route_with_key_headers_and_serializer()
    {
        await using var service = await EmbeddedService.StartAsync(options =>
        {
            options.TopicNames["orders"] = "shop-orders";
            options.Routes
                .Add<Order>("orders", route =>
                {
                    route.KeySelector = order => order.Customer;
                    route.Headers.Add("origin", "shop").Add("kind", "order");
                })
                .Add<Upper>("upper", route => (route.Serializer, route.Deserializer) = (new UpperSerializer(), new UpperSerializer()));
        });
        var seen = new ConcurrentQueue<string>();
        await service.Kafka.SubscribeAsync<Order>((order, context, _) =>
        {
            seen.Enqueue($"{context.Topic} {context.Key} {string.Join(",", context.Headers.Select(Shown))} {order.Id}");
            return Task.CompletedTask;
        }, configure: options => options.Order = MessageOrder.ByPartition);
        await service.Kafka.SubscribeAsync<Upper>((upper, context, _) =>
        {
            seen.Enqueue($"{context.Topic} {Encoding.UTF8.GetString(context.RawValue!.Value.Span)} {upper.Text} {context.Headers.GetText("written-by")}");
            return Task.CompletedTask;
        });

        var first = await service.Kafka.SendAsync(new Order("1", "c"));
        await Waiting.Until(() => seen.Count == 1, "the first");
        await service.Kafka.SendAsync(new Order("2", "c"), key: "own", new SendOptions { Headers = new MessageHeaders().Add("kind", "mine") });
        await Waiting.Until(() => seen.Count == 2, "the second");
        IKafkaProducer producer = service.Kafka;
        await producer.SendAsync(MessageEnvelope.Create(new Order("3", "of an envelope")));
        await service.Kafka.SendAsync(new Upper("loud"));
        await Waiting.Until(() => seen.Count >= 3 && seen.Any(one => one.Contains("LOUD")), "the others");

        first.Topic.Should().Be("shop-orders");
        seen.Should().StartWith(["shop-orders c origin=shop,kind=order 1", "shop-orders own origin=shop,kind=order,kind=mine 2"]);
        seen.Should().Contain("upper LOUD loud UpperSerializer").And.Contain(one => one.StartsWith("shop-orders of an envelope"));
    }

    [Fact]
    public async Task Many_messages_and_tombstones_are_sent_by_their_routes_through_middleware_too()
    {
        var stamp = new Stamp();
        await using var service = await EmbeddedService.StartAsync(options =>
        {
            options.SendMiddleware.Add(stamp);
            options.Routes.Add<Order>("orders", route => route.KeySelector = order => order.Customer)
                .Add<Upper>("upper", route => route.Serializer = new UpperSerializer());
        });

        var results = await service.Kafka.SendManyAsync<object>([new Order("1", "a"), new Upper("x"), new Order("2", "b")]);
        var tombstone = await service.Kafka.SendTombstoneAsync<Order>("a");
        var some = await service.Kafka.Awaiting(kafka => kafka.SendManyAsync<object>([new Order("3", "a"), new Unrouted(), new Order("4", "a")]))
            .Should().ThrowAsync<KafkaSendManyException>();
        var none = () => service.Kafka.SendTombstoneAsync<Order>(default).AsTask();

        results.Select(result => result.Topic).Should().Equal("orders", "upper", "orders");
        tombstone.Topic.Should().Be("orders");
        var (failed, why) = some.Which.Failures.Should().ContainSingle().Which;
        failed.Should().Be(1);
        why.Should().BeOfType<MessageRouteNotFoundException>();
        await none.Should().ThrowAsync<ArgumentException>();
        stamp.Seen.Should().Contain(["orders Order a", "upper Upper (none)", "orders null a"]);
    }

    [Fact]
    public async Task Without_a_route_a_send_and_a_subscription_say_what_to_write()
    {
        await using var service = await EmbeddedService.StartAsync(options => options.Routes.Add<Order>("orders"));
        Func<Task>[] calls =
        [
            () => service.Kafka.SendAsync(new Unrouted()).AsTask(),
            () => service.Kafka.SendAsync(MessageEnvelope.Create(new Unrouted())).AsTask(),
            () => service.Kafka.SendTombstoneAsync<Unrouted>("k").AsTask(),
            () => service.Kafka.SubscribeAsync<Unrouted>((_, _, _) => Task.CompletedTask),
            () => service.Kafka.SubscribeBatchAsync<Unrouted>((_, _) => Task.CompletedTask),
        ];

        foreach (var call in calls)
        {
            var thrown = (await call.Should().ThrowAsync<MessageRouteNotFoundException>()).Which;
            thrown.MessageType.Should().Be<Unrouted>();
            thrown.Message.Should().Contain("AddRoute<Unrouted>(").And.Contain("Routes.Add<Unrouted>(").And.Contain("name the topic");
        }

        await service.Kafka.Awaiting(kafka => kafka.SendAsync((Order)null!).AsTask()).Should().ThrowAsync<ArgumentNullException>();
        await service.Kafka.Awaiting(kafka => kafka.SendAsync("text").AsTask()).Should().ThrowAsync<MessageRouteNotFoundException>();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_derived_type_goes_by_the_route_of_its_nearest_base_whatever_the_order(bool reversed)
    {
        Action<MessageRoutes>[] declarations =
        [
            routes => routes.Add<Base>("base", route => route.KeySelector = message => message.Name),
            routes => routes.Add<Middle>("middle"),
            routes => routes.Add<IMarked>("marked"),
            routes => routes.Add<IMarkedMore>("marked-more"),
            routes => routes.Add<IOther>("other"),
        ];
        var options = Options(options => Array.ForEach(reversed ? [.. declarations.Reverse()] : declarations, declare => declare(options.Routes)));
        await using var kafka = new KafkaService(options);
        await kafka.ConnectProducerAsync();

        async Task<string> TopicOf<T>(T message) => (await kafka.SendAsync(message)).Topic;
        (await TopicOf(new Base("n"))).Should().Be("base");
        (await TopicOf<object>(new FromBase("n"))).Should().Be("base");
        (await TopicOf(new FromMiddle("n"))).Should().Be("middle", "a base class is nearer than an interface");
        (await TopicOf(new Marked())).Should().Be("marked-more");
        var several = async () => await TopicOf(new MarkedTwice());

        (await several.Should().ThrowAsync<MessageRouteNotFoundException>()).Which.Message.Should().Contain("IMarkedMore and IOther");
    }

    [Fact]
    public async Task Wrong_routes_fail_the_start_all_together()
    {
        var options = Options(options => options.Routes
            .Add<Order>("orders").Add<Order>("invoices").Add<Upper>("a topic").Add<string>("lines").Add<object>("all"));
        await using var kafka = new KafkaService(options);

        var errors = kafka.Invoking(it => it.Init()).Should().Throw<KafkaConfigurationException>().Which.Errors;

        errors.Should().HaveCount(4);
        errors.Should().ContainSingle(error => error.Contains("Order has 2 routes, to 'orders' and 'invoices'"));
        errors.Should().ContainSingle(error => error.Contains("Upper") && error.Contains("a topic"));
        errors.Should().ContainSingle(error => error.Contains("System.String") && error.Contains("'lines'"));
        errors.Should().ContainSingle(error => error.Contains("System.Object") && error.Contains("'all'"));
    }

    [Fact]
    public async Task In_a_host_a_route_gives_subscriptions_and_handlers_their_topics()
    {
        var billed = new ConcurrentQueue<string>();
        var builder = Builder();
        builder.Services.AddSingleton(billed);
        builder.Services.AddNaradKafka(options => options.Mode = KafkaMode.Embedded)
            .AddRoute<Order>("orders", route => route.KeySelector = order => order.Customer)
            .AddRoute<Billed>("billed")
            .AddSubscription<Order, Bill>(group: "billing")
            .AddBatchSubscription<Billed, Print>(group: "printing");
        using var host = builder.Build();
        await host.StartAsync();

        await host.Services.GetRequiredService<IKafkaProducer>().SendAsync(new Order("7", "c"));

        await Waiting.Until(() => !billed.IsEmpty, "the batch handler");
        billed.Should().Equal("7 with key c");
        await host.StopAsync();
    }

    [Fact]
    public async Task In_a_host_a_missing_and_a_double_route_fail_the_start()
    {
        var missing = Builder();
        missing.Services.AddSingleton(new ConcurrentQueue<string>());
        missing.Services.AddNaradKafka(options => options.Mode = KafkaMode.Embedded)
            .AddSubscription<Order, Bill>(group: "billing")
            .AddBatchSubscription<Billed, Print>();
        using var host = missing.Build();

        var errors = (await host.Awaiting(it => it.StartAsync()).Should().ThrowAsync<KafkaConfigurationException>()).Which.Errors;

        errors.Should().HaveCount(3);
        errors[0].Should().Contain(nameof(Bill)).And.Contain("AddRoute<Order>(");
        errors[1].Should().Contain("consumer group").And.Contain(nameof(Billed));
        errors[2].Should().Contain(nameof(Print)).And.Contain("AddRoute<Billed>(");

        var twice = Builder();
        twice.Services.AddNaradKafka(options => options.Mode = KafkaMode.Embedded).AddRoute<Order>("a").AddRoute<Order>("b");
        using var second = twice.Build();
        (await second.Awaiting(it => it.StartAsync()).Should().ThrowAsync<KafkaConfigurationException>()).Which.Message.Should().Contain("'a' and 'b'");
    }

    private static HostApplicationBuilder Builder() =>
        Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings { EnvironmentName = "Development" });

    private static KafkaOptions Options(Action<KafkaOptions> configure)
    {
        var options = new KafkaOptions { Mode = KafkaMode.Console, Environment = "Development" };
        configure(options);
        return options;
    }

    private static string Shown(MessageHeader header) => $"{header.Name}={Encoding.UTF8.GetString(header.Value!)}";

    internal sealed record Order(string Id, string Customer);

    internal sealed record Billed(string Id);

    internal sealed record Upper(string Text);

    internal sealed record Unrouted;

    internal interface IMarked;

    internal interface IMarkedMore : IMarked;

    internal interface IOther;

    internal record Base(string Name);

    internal record Middle(string Name) : Base(Name);

    internal sealed record FromBase(string Name) : Base(Name);

    internal sealed record FromMiddle(string Name) : Middle(Name), IMarked;

    internal sealed record Marked : IMarkedMore;

    internal sealed record MarkedTwice : IMarkedMore, IOther;

    internal sealed class Bill : IMessageHandler<Order>
    {
        public async Task HandleAsync(Order message, MessageContext context, CancellationToken cancellationToken) =>
            await context.SendAsync(new Billed($"{message.Id} with key {context.Key}"), cancellationToken: cancellationToken);
    }

    internal sealed class Print(ConcurrentQueue<string> printed) : IBatchHandler<Billed>
    {
        public Task HandleAsync(MessageBatch<Billed> batch, CancellationToken cancellationToken)
        {
            batch.Items.ToList().ForEach(item => printed.Enqueue(item.Message.Id));
            return Task.CompletedTask;
        }
    }

    private sealed class UpperSerializer : IMessageSerializer, IMessageDeserializer
    {
        public async ValueTask<byte[]> SerializeAsync(object message, Type type, string topic, MessageHeaders headers, CancellationToken cancellationToken)
        {
            await Task.Yield();
            headers.Add("written-by", nameof(UpperSerializer));
            return Encoding.UTF8.GetBytes(((Upper)message).Text.ToUpperInvariant());
        }

        public ValueTask<object?> DeserializeAsync(ReadOnlyMemory<byte> data, Type type, MessageContext context, CancellationToken cancellationToken) =>
            new(new Upper(Encoding.UTF8.GetString(data.Span).ToLowerInvariant()));
    }

    private sealed class Stamp : ISendMiddleware
    {
        public ConcurrentQueue<string> Seen { get; } = new();

        public ValueTask<SendResult> SendAsync(OutgoingMessage message, SendDelegate next, CancellationToken cancellationToken)
        {
            Seen.Enqueue($"{message.Topic} {message.Message?.GetType().Name ?? "null"} {message.Key}");
            return next(message, cancellationToken);
        }
    }
}
