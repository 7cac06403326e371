using System.Collections.Concurrent;

namespace Narad.Kafka.Tests.Service;

/// <summary>Retries in memory hold the key, the partition or only the message, as the order says; others continue.</summary>
[Trait("Promise", "S18")]
public sealed class InMemoryRetryTests
{
    private static readonly TimeSpan Long = TimeSpan.FromMilliseconds(400);

    [Fact]
    public Task Ordered_by_key_they_hold_the_key_and_other_keys_go_on() =>
        HoldsAsync(options => options.Order = MessageOrder.ByKey, waits: ["a2"], goesOn: ["b", "other"]);

    [Fact]
    public Task Ordered_by_partition_they_hold_the_partition_and_other_partitions_go_on() =>
        HoldsAsync(options => options.Order = MessageOrder.ByPartition, waits: ["a2", "b"], goesOn: ["other"]);

    [Fact]
    public Task Unordered_they_hold_the_message_alone() =>
        HoldsAsync(options => options.Order = MessageOrder.Unordered, waits: [], goesOn: ["a2", "b", "other"]);

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    public async Task Invocations_are_one_more_than_the_retries_and_the_attempt_says_which(int retries)
    {
        await using var service = await EmbeddedService.StartAsync();
        var attempts = new ConcurrentQueue<int>();
        var subscription = await service.Kafka.SubscribeAsync<string>(
            "orders",
            (_, context, _) =>
            {
                attempts.Enqueue(context.Attempt);
                throw new InvalidOperationException();
            },
            configure: options => options.Retry.InMemory.MaxAttempts = retries);
        await service.SendAsync("orders", "x", "k", 0);
        await Waiting.Until(() => subscription.StoppedPartitions.Count == 1, "stopped in the end");
        attempts.Should().Equal(Enumerable.Range(1, retries + 1));
        service.Log.Count(3012).Should().Be(retries);
    }

    [Fact]
    public async Task The_delay_is_asked_for_each_retry_and_waited_out()
    {
        await using var service = await EmbeddedService.StartAsync();
        var asked = new ConcurrentQueue<int>();
        var times = new ConcurrentQueue<long>();
        var subscription = await service.Kafka.SubscribeAsync<string>(
            "orders",
            (_, _, _) =>
            {
                times.Enqueue(TimeProvider.System.GetTimestamp());
                throw new InvalidOperationException();
            },
            configure: options =>
            {
                options.Retry.InMemory.MaxAttempts = 2;
                options.Retry.InMemory.DelayGenerator = retry =>
            {
                asked.Enqueue(retry);
                return TimeSpan.FromMilliseconds(50 * retry);
            };
            });
        await service.SendAsync("orders", "x", "k", 0);
        await Waiting.Until(() => subscription.StoppedPartitions.Count == 1, "stopped in the end");
        asked.Should().Equal(1, 2);
        var at = times.ToArray();
        TimeProvider.System.GetElapsedTime(at[0], at[1]).Should().BeGreaterThan(TimeSpan.FromMilliseconds(45));
        TimeProvider.System.GetElapsedTime(at[1], at[2]).Should().BeGreaterThan(TimeSpan.FromMilliseconds(95));
    }

    [Fact]
    public async Task A_failure_that_the_filter_does_not_want_stops_at_once()
    {
        await using var service = await EmbeddedService.StartAsync();
        var invocations = 0;
        var subscription = await service.Kafka.SubscribeAsync<string>(
            "orders",
            (message, _, _) =>
            {
                Interlocked.Increment(ref invocations);
                throw message == "transient" ? new TimeoutException() : new InvalidOperationException();
            },
            configure: options => { options.Retry.InMemory.MaxAttempts = 2; options.Retry.InMemory.ShouldHandle = error => error is TimeoutException; });
        await service.SendAsync("orders", "permanent", "k", 0);
        await Waiting.Until(() => subscription.StoppedPartitions.Count == 1, "stopped");
        invocations.Should().Be(1);
        await subscription.SkipFailedMessageAsync(new("orders", 0));
        await service.SendAsync("orders", "transient", "k", 0);
        await Waiting.Until(() => subscription.StoppedPartitions is [{ Offset: 1 }], "stopped again");
        invocations.Should().Be(1 + 3);
    }

    [Fact]
    public async Task A_delegate_that_throws_is_logged_and_the_failure_is_as_without_it()
    {
        await using var service = await EmbeddedService.StartAsync();
        var invocations = 0;
        await service.Kafka.SubscribeAsync<string>(
            "delay",
            (_, _, _) => Interlocked.Increment(ref invocations) == 1 ? throw new InvalidOperationException() : Task.CompletedTask,
            configure: options =>
            {
                options.Retry.InMemory.MaxAttempts = 1;
                options.Retry.InMemory.DelayGenerator = _ => throw new NotSupportedException("delay");
            });
        var filtered = await service.Kafka.SubscribeAsync<string>(
            "filter",
            (_, _, _) => throw new InvalidOperationException("original"),
            configure: options =>
            {
                options.Retry.InMemory.MaxAttempts = 1;
                options.Retry.InMemory.ShouldHandle = _ => throw new NotSupportedException("filter");
            });
        await service.SendAsync("delay", "x", "k", 0);
        await service.SendAsync("filter", "x", "k", 0);
        await Waiting.Until(() => invocations == 2, "repeated without a delay");
        await Waiting.Until(() => filtered.StoppedPartitions.Count == 1, "stopped without a retry");
        filtered.StoppedPartitions[0].Reason.Message.Should().Be("original");
        service.Log.All.Where(logged => logged.Id == 3013).Select(logged => logged.Error!.Message).Should().BeEquivalentTo("delay", "filter");
    }

    private static async Task HoldsAsync(Action<SubscriptionOptions> order, string[] waits, string[] goesOn)
    {
        await using var service = await EmbeddedService.StartAsync();
        await service.SendAsync("orders", "a1", "a", 0);
        await service.SendAsync("orders", "a2", "a", 0);
        await service.SendAsync("orders", "b", "b", 0);
        await service.SendAsync("orders", "other", "c", 1);
        var handled = new ConcurrentQueue<string>();
        await service.Kafka.SubscribeAsync<string>(
            "orders",
            (message, context, _) =>
            {
                if (message == "a1" && context.Attempt == 1)
                {
                    throw new InvalidOperationException();
                }

                handled.Enqueue(message);
                return Task.CompletedTask;
            },
            configure: options =>
            {
                (options.Retry.InMemory.MaxAttempts, options.Retry.InMemory.Delay) = (1, Long);
                order(options);
            });
        await Waiting.Until(() => handled.Count == 4, "all handled");
        var order1 = handled.ToList();
        foreach (var message in waits)
        {
            order1.IndexOf(message).Should().BeGreaterThan(order1.IndexOf("a1"), $"{message} waits");
        }

        foreach (var message in goesOn)
        {
            order1.IndexOf(message).Should().BeLessThan(order1.IndexOf("a1"), $"{message} continues");
        }
    }
}
