using System.Collections.Concurrent;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;

namespace Narad.Kafka.Tests.Service;

/// <summary>A failure that no policy covers stops its partition at that message, loudly, and nothing is skipped.</summary>
[Trait("Promise", "S14")]
public sealed class StoppedPartitionTests
{
    private const int Stopped = 3020;
    private const int Skipped = 3022;

    [Fact]
    public async Task A_failure_stops_its_partition_loudly_while_other_partitions_and_running_handlers_go_on()
    {
        var client = $"stopped-{Guid.NewGuid():n}";
        await using var service = await EmbeddedService.StartAsync(options => options.ClientId = client);
        var handled = new ConcurrentQueue<(int Partition, string Message)>();
        var slowRuns = new TaskCompletionSource();
        var finishSlow = new TaskCompletionSource();
        var subscription = await service.Kafka.SubscribeAsync<string>("orders", async (message, context, _) =>
        {
            if (message == "slow")
            {
                slowRuns.SetResult();
                await finishSlow.Task;
            }

            if (message == "bad")
            {
                await slowRuns.Task;
                throw new InvalidOperationException("no stock");
            }

            handled.Enqueue((context.Partition, message));
        });

        await service.SendAsync("orders", "first", "a", 0);
        await service.SendAsync("orders", "slow", "b", 0);
        await service.SendAsync("orders", "bad", "c", 0);
        await Waiting.Until(() => subscription.StoppedPartitions.Count == 1, "partition 0 stopped");
        finishSlow.SetResult();
        await service.SendAsync("orders", "after", "d", 0);
        for (var i = 0; i < 5; i++)
        {
            await service.SendAsync("orders", $"other {i}", "e", 1);
        }

        await Waiting.Until(() => handled.Count(one => one.Partition == 1) == 5, "the other partition continues");
        await Waiting.Until(() => handled.Contains((0, "slow")), "what was running finished");
        var stop = subscription.StoppedPartitions.Should().ContainSingle().Subject;
        stop.Partition.Should().Be(new TopicPartitionId("orders", 0));
        stop.Offset.Should().Be(2);
        stop.Reason.Should().BeOfType<InvalidOperationException>().Which.Message.Should().Be("no stock");
        var log = service.Log.The(Stopped);
        log.Level.Should().Be(LogLevel.Critical);
        log.Message.Should().Contain("orders[0]").And.Contain("offset 2").And.Contain("ResumeAsync");
        var health = await service.HealthAsync();
        health.Status.Should().Be(HealthStatus.Degraded);
        health.Description.Should().Contain("orders[0]").And.Contain("offset 2");
        Readings.Of("narad.kafka.partitions.stopped", client).Should().Be(1);
        service.Kafka.Completion.IsCompleted.Should().BeFalse();

        await Waiting.Until(() => service.Committed("orders", 1) == 5, "the other partition commits");
        await Waiting.Until(() => service.Committed("orders") == 2, "what is before the failure is committed, and nothing past it");
        (await service.Kafka.DisconnectAsync()).Abandoned.Should().BeEmpty();
        service.Committed("orders").Should().Be(2);
        handled.Should().NotContain((0, "after"));
    }

    [Fact]
    public async Task Resume_delivers_the_same_message_again_and_then_the_rest()
    {
        await using var service = await EmbeddedService.StartAsync();
        var broken = true;
        var handled = new ConcurrentQueue<string>();
        var invocations = 0;
        var subscription = await service.Kafka.SubscribeAsync<string>("orders", (message, _, _) =>
        {
            if (message == "2")
            {
                Interlocked.Increment(ref invocations);
                if (Volatile.Read(ref broken))
                {
                    throw new InvalidOperationException();
                }
            }

            handled.Enqueue(message);
            return Task.CompletedTask;
        });
        for (var i = 0; i < 5; i++)
        {
            await service.SendAsync("orders", $"{i}", "k", 0);
        }

        await Waiting.Until(() => subscription.StoppedPartitions.Count == 1, "stopped");
        (await subscription.ResumeAsync(new("orders", 0))).Should().BeTrue();
        await Waiting.Until(() => Volatile.Read(ref invocations) == 2 && subscription.StoppedPartitions.Count == 1, "stopped again, at the same message");
        handled.Should().Equal("0", "1");
        Volatile.Write(ref broken, false);
        (await subscription.ResumeAsync(new("orders", 0))).Should().BeTrue();
        await Waiting.Until(() => handled.Count == 5, "all handled");
        handled.Should().Equal("0", "1", "2", "3", "4");
        await Waiting.Until(() => service.Committed("orders") == 5, "all committed");
        subscription.StoppedPartitions.Should().BeEmpty();
        (await subscription.ResumeAsync(new("orders", 0))).Should().BeFalse("it is not stopped");
        (await subscription.SkipFailedMessageAsync(new("orders", 0))).Should().BeFalse();
        (await subscription.ResumeAsync(new("elsewhere", 3))).Should().BeFalse();
        (await service.HealthAsync()).Status.Should().Be(HealthStatus.Healthy);
    }

    [Fact]
    public async Task SkipOnce_leaves_out_that_message_alone_counts_and_logs_it()
    {
        var client = $"skip-{Guid.NewGuid():n}";
        await using var service = await EmbeddedService.StartAsync(options => options.ClientId = client);
        var handled = new ConcurrentQueue<string>();
        var subscription = await service.Kafka.SubscribeAsync<string>("orders", (message, _, _) =>
        {
            if (message.StartsWith("bad", StringComparison.Ordinal))
            {
                throw new InvalidOperationException(message);
            }

            handled.Enqueue(message);
            return Task.CompletedTask;
        });
        foreach (var message in new[] { "a", "bad 1", "b", "bad 2", "c" })
        {
            await service.SendAsync("orders", message, "k", 0);
        }

        await Waiting.Until(() => subscription.StoppedPartitions.Count == 1, "stopped");
        (await subscription.SkipFailedMessageAsync(new("orders", 0))).Should().BeTrue();
        await Waiting.Until(() => subscription.StoppedPartitions is [{ Offset: 3 }], "stopped at the next bad one");
        handled.Should().Equal("a", "b");
        service.Log.The(Skipped).Message.Should().Contain("orders[0]").And.Contain("offset 1");
        Readings.Of("narad.kafka.messages.skipped", client).Should().Be(1);
        (await subscription.SkipFailedMessageAsync(new("orders", 0))).Should().BeTrue();
        await Waiting.Until(() => handled.Count == 3, "the rest");
        await Waiting.Until(() => service.Committed("orders") == 5, "the skipped ones are committed past");
        service.Log.Count(Skipped).Should().Be(2);
    }

    [Fact]
    public async Task A_restart_delivers_the_message_again()
    {
        using var broker = EmbeddedBroker.Start();
        await using (var first = await EmbeddedService.StartAsync(broker: broker))
        {
            var stopped = await first.Kafka.SubscribeAsync<string>(
                "orders", (message, _, _) => message == "1" ? throw new InvalidOperationException() : Task.CompletedTask);
            for (var i = 0; i < 4; i++)
            {
                await first.SendAsync("orders", $"{i}", "k", 0);
            }

            await Waiting.Until(() => stopped.StoppedPartitions.Count == 1, "stopped");
        }

        var handled = new ConcurrentQueue<string>();
        await using var second = await EmbeddedService.StartAsync(broker: broker);
        await second.Kafka.SubscribeAsync<string>("orders", (message, _, _) =>
        {
            handled.Enqueue(message);
            return Task.CompletedTask;
        });
        await Waiting.Until(() => handled.Count >= 3, "the rest");
        handled.Should().Equal("1", "2", "3");
    }

    [Theory]
    [InlineData("{\"userId\": \"broken")]
    [InlineData("null")]
    [InlineData("[1]")]
    public async Task What_cannot_be_deserialized_stops_its_partition_without_retries(string value)
    {
        await using var service = await EmbeddedService.StartAsync();
        var handled = 0;
        var subscription = await service.Kafka.SubscribeAsync<Order>(
            "orders",
            (_, _, _) =>
            {
                Interlocked.Increment(ref handled);
                return Task.CompletedTask;
            },
            configure: subscription => subscription.Retry.InMemory.MaxAttempts = 5);
        await service.SendAsync("orders", value, "k", 0);
        await service.SendAsync("orders", new Order(2), "k", 0);
        await Waiting.Until(() => subscription.StoppedPartitions.Count == 1, "stopped");
        subscription.StoppedPartitions[0].Offset.Should().Be(0);
        subscription.StoppedPartitions[0].Reason.Should().BeOfType<MessageDeserializationException>();
        service.Log.Count(3012).Should().Be(0, "repeating cannot help");
        handled.Should().Be(0);
        await subscription.SkipFailedMessageAsync(new("orders", 0));
        await Waiting.Until(() => handled == 1, "what follows");
    }

    [Fact]
    public async Task An_unknown_message_type_stops_its_partition()
    {
        await using var service = await EmbeddedService.StartAsync();
        var subscription = await service.Kafka.SubscribeAsync<Order>("orders", (_, _, _) => Task.CompletedTask, configure: subscription =>
        {
            subscription.Deserializer = new KnowsNoType();
            subscription.Retry.InMemory.MaxAttempts = 3;
        });
        await service.SendAsync("orders", new Order(1), "k", 0);
        await Waiting.Until(() => subscription.StoppedPartitions.Count == 1, "stopped");
        subscription.StoppedPartitions[0].Reason.Should().BeOfType<UnknownMessageTypeException>();
        service.Log.Count(3012).Should().Be(0);
    }

    [Fact]
    public async Task StopHost_without_a_host_errors_the_completion_with_the_failure()
    {
        await using var service = await EmbeddedService.StartAsync();
        await service.Kafka.SubscribeAsync<string>("orders", (_, _, _) => throw new InvalidOperationException("the end"), configure: subscription =>
            subscription.OnUnhandled = UnhandledPolicy.StopHost);
        await service.SendAsync("orders", "1", "k", 0);
        var fault = await FluentActions.Awaiting(() => service.Kafka.Completion.WaitAsync(Waiting.Deadline)).Should().ThrowAsync<InvalidOperationException>();
        fault.WithMessage("the end");
    }

    private sealed record Order(int Number);

    private sealed class KnowsNoType : IMessageDeserializer
    {
        public ValueTask<object?> DeserializeAsync(ReadOnlyMemory<byte> data, Type type, MessageContext context, CancellationToken cancellationToken) =>
            throw new UnknownMessageTypeException("order.lost", ["order.placed"], context);
    }
}
