using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using System.Collections.Concurrent;

namespace Narad.Kafka.Tests.Service;

/// <summary>Groups and topics: one group on many topics, several groups, patterns, and what is refused.</summary>
public sealed class SubscribingTests
{
    [Fact]
    public async Task One_group_reads_many_topics_and_two_groups_each_get_every_message()
    {
        await using var service = await EmbeddedService.StartAsync();
        await service.Kafka.ConnectConsumerAsync("audit");
        var handled = new ConcurrentQueue<(string Group, string Topic, string Message)>();
        Task Handle(string message, MessageContext context, CancellationToken token)
        {
            handled.Enqueue((context.Group, context.Topic, message));
            return Task.CompletedTask;
        }

        await service.Kafka.SubscribeAsync<string>("orders", Handle, "g");
        await service.Kafka.SubscribeAsync<string>("users", Handle, "g");
        await service.Kafka.SubscribeAsync<string>("orders", Handle, "audit");
        service.Kafka.Subscriptions.Select(one => (one.Group, one.Topic)).Should().Equal(("g", "orders"), ("g", "users"), ("audit", "orders"));
        await service.SendAsync("orders", "o");
        await service.SendAsync("users", "u");
        await Waiting.Until(() => handled.Count == 3, "three deliveries");
        handled.Should().BeEquivalentTo([("g", "orders", "o"), ("g", "users", "u"), ("audit", "orders", "o")]);
    }

    [Fact]
    public async Task Without_a_group_where_there_are_two_it_throws_and_lists_them()
    {
        await using var service = await EmbeddedService.StartAsync();
        await service.Kafka.ConnectConsumerAsync("billing");
        (await FluentActions.Awaiting(() => service.Kafka.SubscribeAsync<string>("t", (_, _, _) => Task.CompletedTask)).Should()
            .ThrowAsync<InvalidOperationException>())
            .Which.Message.Should().Contain("billing, g");
        (await FluentActions.Awaiting(() => service.Kafka.SubscribeAsync<string>("t", (_, _, _) => Task.CompletedTask, "biling")).Should()
            .ThrowAsync<KafkaNotConnectedException>())
            .Which.Message.Should().Contain("biling").And.Contain("billing, g");
    }

    [Fact]
    public async Task A_topic_twice_in_one_group_is_refused_and_leaves_no_trace()
    {
        await using var service = await EmbeddedService.StartAsync(options => options.TopicNames["order-events"] = "orders");
        await service.Kafka.SubscribeAsync<string>("orders", (_, _, _) => Task.CompletedTask);
        (await FluentActions.Awaiting(() => service.Kafka.SubscribeAsync<string>("order-events", (_, _, _) => Task.CompletedTask)).Should()
            .ThrowAsync<InvalidOperationException>())
            .Which.Message.Should().Contain("'orders'").And.Contain("'g'");
        service.Kafka.Subscriptions.Should().ContainSingle();
    }

    [Fact]
    public async Task No_group_at_all_is_an_error_of_configuration()
    {
        await using var kafka = new KafkaService(new KafkaOptions { Mode = KafkaMode.Embedded });
        (await FluentActions.Awaiting(() => kafka.ConnectConsumerAsync()).Should().ThrowAsync<KafkaConfigurationException>()).Which.Message.Should()
            .Contain("KAFKA_CONSUMER_GROUP_ID");
    }

    [Theory]
    [InlineData("", "must not be empty")]
    [InlineData(" ", "must not be empty")]
    [InlineData("billing ", "begin or end with a space")]
    [InlineData("bil\nling", "control characters")]
    public async Task A_group_that_code_names_must_be_legal_wherever_it_is_named(string group, string wrong)
    {
        await using var kafka = new KafkaService(new KafkaOptions { Mode = KafkaMode.Console });
        await kafka.ConnectConsumerAsync("g");
        Func<Task>[] namings =
        [
            () => kafka.ConnectConsumerAsync(group),
            () => kafka.SubscribeAsync<string>("t", (_, _, _) => Task.CompletedTask, group),
            () => kafka.Topics.GetCommittedOffsetsAsync(group, "t"),
            () => Task.FromResult(new ServiceCollection().AddNaradKafka().AddSubscription<string, Accept>("t", group)),
        ];
        foreach (var naming in namings)
        {
            (await naming.Should().ThrowAsync<ArgumentException>()).Which.Should()
                .Match<ArgumentException>(error => error.ParamName == "group" && error.Message.Contains(wrong) && !error.Message.Contains('\n'));
        }
    }

    [Fact]
    public async Task A_hosted_subscription_without_a_group_is_told_where_to_name_one()
    {
        var builder = Host.CreateEmptyApplicationBuilder(settings: null);
        builder.Services.AddNaradKafka(options => (options.Mode, options.ConsumerGroupId) = (KafkaMode.Console, null))
            .AddSubscription<string, Accept>("orders")
            .AddSubscription<string, Accept>("named", group: "g")
            .AddSubscription<string, Accept>("users");
        using var host = builder.Build();

        var faults = (await host.Awaiting(it => it.StartAsync()).Should().ThrowAsync<KafkaConfigurationException>()).Which.Errors;

        faults.Should().HaveCount(2);
        faults[0].Should().Contain("'orders'").And.Contain("AddSubscription(\"orders\", group: …)")
            .And.Contain("Kafka:ConsumerGroupId (KAFKA_CONSUMER_GROUP_ID)").And.NotContain("ConnectConsumerAsync");
        faults[1].Should().Contain("'users'");
    }

    [Fact]
    public async Task The_configured_group_is_used_where_none_is_named()
    {
        await using var kafka = new KafkaService(new KafkaOptions { Mode = KafkaMode.Embedded, ConsumerGroupId = "configured" });
        await kafka.ConnectConsumerAsync();
        (await kafka.SubscribeAsync<string>("t", (_, _, _) => Task.CompletedTask)).Group.Should().Be("configured");
    }

    [Fact]
    public async Task A_pattern_reads_the_topics_that_match_it_and_one_that_is_created_later()
    {
        await using var service = await EmbeddedService.StartAsync();
        service.Broker.CreateTopic("orders.new", 1);
        service.Broker.CreateTopic("users", 1);
        var handled = new ConcurrentQueue<(string Topic, string Message)>();
        var subscription = await service.Kafka.SubscribeAsync<string>(@"^orders\..*", (message, context, _) =>
        {
            handled.Enqueue((context.Topic, message));
            return Task.CompletedTask;
        });
        subscription.State.Should().Be(SubscriptionState.Running);
        await service.SendAsync("orders.new", "1");
        await service.SendAsync("users", "2");
        await Waiting.Until(() => !handled.IsEmpty, "handled");
        service.Broker.CreateTopic("orders.old", 1);
        await service.SendAsync("orders.old", "3");
        await Waiting.Until(() => handled.Count == 2, "the topic that was created later", TimeSpan.FromSeconds(15));
        handled.Should().Equal(("orders.new", "1"), ("orders.old", "3"));
    }

    [Fact]
    [Trait("Promise", "S17")]
    public async Task A_pattern_that_nothing_matches_says_so_and_starts_later()
    {
        await using var service = await EmbeddedService.StartAsync();
        var handled = 0;
        var subscription = await service.Kafka.SubscribeAsync<string>(@"^orders\..*", (_, _, _) =>
        {
            Interlocked.Increment(ref handled);
            return Task.CompletedTask;
        }).WaitAsync(TimeSpan.FromSeconds(10));
        subscription.State.Should().Be(SubscriptionState.TopicMissing);
        await Waiting.Until(() => service.Log.Count(3033) == 1, "the log says so");
        service.Log.The(3033).Message.Should().Contain(@"^orders\..*");
        service.Broker.CreateTopic("orders.new", 1);
        await service.SendAsync("orders.new", "1");
        await Waiting.Until(() => handled == 1
            && subscription.State is SubscriptionState.Running, "the topic that was created later", TimeSpan.FromSeconds(10));
    }

    [Theory]
    [InlineData("^orders(")]
    [InlineData("^(?=lookahead)")]
    [InlineData("^(?i)orders")]
    [InlineData(@"^orders-\d+$")]
    [InlineData("^orders[[:none:]]")]
    public async Task A_pattern_that_is_no_regular_expression_is_refused_by_name(string pattern)
    {
        await using var service = await EmbeddedService.StartAsync();
        (await FluentActions.Awaiting(() => service.Kafka.SubscribeAsync<string>(pattern, (_, _, _) => Task.CompletedTask)).Should()
            .ThrowAsync<ArgumentException>()).Which.Message.Should().Contain(pattern);
        service.Kafka.Subscriptions.Should().BeEmpty();
        (await service.Kafka.SubscribeAsync<string>("orders", (_, _, _) => Task.CompletedTask).WaitAsync(Waiting.Deadline)).State.Should()
            .Be(SubscriptionState.Running, "the group is none the worse for it");
    }

    [Fact]
    public async Task Cancelling_ends_the_waiting_and_not_the_subscription()
    {
        await using var service = await EmbeddedService.StartAsync();
        using var cancelled = new CancellationTokenSource();
        await cancelled.CancelAsync();
        var handled = 0;
        await FluentActions.Awaiting(() => service.Kafka.SubscribeAsync<string>(
            "orders",
            (_, _, _) =>
            {
                Interlocked.Increment(ref handled);
                return Task.CompletedTask;
            },
            cancellationToken: cancelled.Token)).Should().ThrowAsync<OperationCanceledException>();
        await service.SendAsync("orders", "x");
        await Waiting.Until(() => handled == 1, "handled all the same");
        service.Kafka.Subscriptions.Should().ContainSingle();
    }

    [Fact]
    public async Task Logical_names_stand_for_real_ones_wherever_a_topic_is_given()
    {
        await using var service = await EmbeddedService.StartAsync(options => options.TopicNames["user-events"] = "prod.user.events.v2");
        var topics = new ConcurrentQueue<string>();
        var subscription = await service.Kafka.SubscribeAsync<string>("user-events", (_, context, _) =>
        {
            topics.Enqueue(context.Topic);
            return Task.CompletedTask;
        }, configure: options => options.IncludeTombstones = true);
        subscription.Topic.Should().Be("prod.user.events.v2");
        (await service.Kafka.SendAsync("user-events", "1")).Topic.Should().Be("prod.user.events.v2");
        (await service.Kafka.SendTombstoneAsync("user-events", "k")).Topic.Should().Be("prod.user.events.v2");
        (await service.Kafka.SendManyAsync("user-events", ["2"]))[0].Topic.Should().Be("prod.user.events.v2");
        (await service.Kafka.SendAsync("prod.user.events.v2", "3")).Topic.Should().Be("prod.user.events.v2");
        await Waiting.Until(() => topics.Count == 4, "handled");
        (await service.Kafka.Topics.GetPartitionCountsAsync(["user-events"])).Should().ContainKey("user-events");
    }

    [Theory]
    [InlineData("", "empty")]
    [InlineData("  ", "empty")]
    [InlineData(".", "\".\"")]
    [InlineData("..", "\"..\"")]
    [InlineData("a b", "the space")]
    [InlineData("a/b", "the slash")]
    [InlineData("bücher", "'ü'")]
    [InlineData("{250}", "249")]
    public async Task An_illegal_topic_name_is_refused_with_what_is_wrong(string topic, string wrong)
    {
        topic = topic == "{250}" ? new string('a', 250) : topic;
        await using var service = await EmbeddedService.StartAsync();
        Func<Task>[] uses =
        [
            () => service.Kafka.SendAsync(topic, "x").AsTask(),
            () => service.Kafka.SendTombstoneAsync(topic, "k").AsTask(),
            () => service.Kafka.SendManyAsync(topic, ["x"]),
            () => service.Kafka.SubscribeAsync<string>(topic, (_, _, _) => Task.CompletedTask),
            () => service.Kafka.SubscribeBatchAsync<string>(topic, (_, _) => Task.CompletedTask),
        ];
        foreach (var use in uses)
        {
            (await FluentActions.Awaiting(use).Should().ThrowAsync<ArgumentException>()).Which.Message.Should().Contain(wrong);
        }

        await FluentActions.Awaiting(() => service.Kafka.SendAsync(null!, "x").AsTask()).Should().ThrowAsync<ArgumentNullException>();
        await FluentActions.Awaiting(() => service.Kafka.SubscribeAsync<string>(null!, (_, _, _) => Task.CompletedTask)).Should()
            .ThrowAsync<ArgumentNullException>();
    }

    private sealed class Accept : IMessageHandler<string>
    {
        public Task HandleAsync(string message, MessageContext context, CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
