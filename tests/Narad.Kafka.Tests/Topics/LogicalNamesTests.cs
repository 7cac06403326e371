using System.Collections.Concurrent;
using Narad.Kafka.Tests.Service;
using Narad.Kafka.Topics;

namespace Narad.Kafka.Tests.Topics;

/// <summary>A logical name stands for its real one wherever a topic is named: derived topics, administration, dead letters and middleware.</summary>
public sealed class LogicalNamesTests
{
    [Theory]
    [InlineData("orders", "shop-orders-v2")]
    [InlineData("orders-dlt", "shop-orders-v2-dlt")]
    [InlineData("orders-retry", "shop-orders-v2-retry")]
    [InlineData("orders-retry-dlt", "shop-orders-v2-retry-dlt")]
    [InlineData("users-dlt", "failed-users")]
    [InlineData("other-dlt", "other-dlt")]
    [InlineData("-dlt", "-dlt")]
    [InlineData("shop-orders-v2-dlt", "shop-orders-v2-dlt")]
    public void The_names_of_derived_topics_follow_from_the_mapped_one_unless_they_are_mapped_themselves(string logical, string real)
    {
        var options = new KafkaOptions();
        options.TopicNames["orders"] = "shop-orders-v2";
        options.TopicNames["users"] = "people";
        options.TopicNames["users-dlt"] = "failed-users";
        TopicName.Resolve(options, logical).Should().Be(real);
    }

    [Fact]
    public async Task Dead_letters_are_counted_browsed_redriven_and_deleted_by_logical_names()
    {
        var fails = true;
        await using var service = await EmbeddedService.StartAsync(options => options.TopicNames["orders"] = "shop-orders-v2");
        service.Broker.CreateTopic("shop-orders-v2", 1);
        var handled = 0;
        await service.Kafka.SubscribeAsync<string>(
            "orders",
            (_, _, _) => Volatile.Read(ref fails) ? throw new InvalidOperationException("not yet") : Task.FromResult(Interlocked.Increment(ref handled)),
            configure: subscription => subscription.DeadLetter.Enabled = true);
        await service.SendAsync("orders", "1");
        await service.SendAsync("orders", "2");
        await Waiting.Until(() => service.Log.Count(3015) == 2, "two dead letters");
        var letters = service.Kafka.DeadLetters;

        (await letters.CountAsync("orders-dlt")).Should().Be(2);
        (await letters.CountAsync("orders-dlt", new DeadLetterFilter { SourceTopic = "orders" })).Should().Be(2);
        (await letters.GetPageAsync("orders-dlt")).Items.Should().HaveCount(2).And.OnlyContain(letter => letter.SourceTopic == "shop-orders-v2");
        (await letters.GetAsync(new TopicPartitionOffsetId("orders-dlt", 0, 1)))!.Position.Offset.Should().Be(1);
        Volatile.Write(ref fails, false);
        var report = await letters.RedriveAsync(
            "orders-dlt", new RedriveOptions { Filter = new DeadLetterFilter { SourceTopic = "orders" }, RetryTopic = "orders-retry" });
        report.Sent.Should().Be(2);
        await Waiting.Until(() => Volatile.Read(ref handled) == 2, "both are handled");
        (await letters.DeleteAllAsync("orders-dlt")).Should().Be(2);
        (await service.Kafka.Topics.GetPartitionCountsAsync(["orders", "orders-dlt"])).Keys.Should().BeEquivalentTo("orders", "orders-dlt");
        service.Broker.Topics.Keys.Should().NotContain(topic => topic.StartsWith("orders", StringComparison.Ordinal), "no topic has a logical name");
    }

    [Fact]
    public async Task Retry_and_dead_letter_topics_may_be_named_by_logical_names()
    {
        await using var service = await EmbeddedService.StartAsync(options =>
        {
            options.TopicNames["again"] = "prod-again";
            options.TopicNames["failed"] = "prod-failed";
        });
        service.Broker.CreateTopic("orders", 1);
        await service.Kafka.SubscribeAsync<string>(
            "orders",
            (_, _, _) => throw new InvalidOperationException("never"),
            configure: subscription =>
            {
                (subscription.Retry.Topic.MaxAttempts, subscription.Retry.Topic.Delay, subscription.Retry.Topic.Name) = (
                    1, TimeSpan.FromMilliseconds(1), "again");
                (subscription.DeadLetter.Enabled, subscription.DeadLetter.TopicName) = (true, "failed");
            });
        await service.SendAsync("orders", "x");

        await Waiting.Until(() => service.Log.Count(3015) == 1, "a dead letter");

        service.Broker.Topics.Keys.Should().BeEquivalentTo("orders", "prod-again", "prod-failed");
        (await service.Kafka.DeadLetters.CountAsync("failed", cancellationToken: default)).Should().Be(1);
    }

    [Fact]
    public async Task Middleware_may_choose_a_topic_by_its_logical_name()
    {
        await using var service = await EmbeddedService.StartAsync(options =>
        {
            options.TopicNames["audit"] = "prod-audit";
            options.TopicNames["orders"] = "audit";      // the real name of one is the logical name of another: what the sender named is not looked up again
            options.SendMiddleware.Add(new ToAudit());
        });
        var handled = new ConcurrentQueue<string>();
        await service.Kafka.SubscribeAsync<string>("audit", (_, context, _) =>
        {
            handled.Enqueue(context.Topic);
            return Task.CompletedTask;
        });

        (await service.Kafka.SendAsync("users", "x")).Topic.Should().Be("prod-audit");
        (await service.Kafka.SendAsync("orders", "x")).Topic.Should().Be("audit");

        await Waiting.Until(() => !handled.IsEmpty, "handled");
        handled.Should().Equal("prod-audit");
    }

    private sealed class ToAudit : ISendMiddleware
    {
        public ValueTask<SendResult> SendAsync(OutgoingMessage message, SendDelegate next, CancellationToken cancellationToken)
        {
            message.Topic = message.Topic == "users" ? "audit" : message.Topic;
            return next(message, cancellationToken);
        }
    }
}
