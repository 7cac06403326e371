using System.Collections.Concurrent;
using Narad.Kafka.Configuration;

namespace Narad.Kafka.Tests.Service;

/// <summary>What a handler is given, and when its token is cancelled.</summary>
public sealed class HandlerContractTests
{
    [Fact]
    public async Task The_context_says_where_the_message_came_from()
    {
        await using var service = await EmbeddedService.StartAsync();
        var seen = new TaskCompletionSource<MessageContext>();
        await service.Kafka.SubscribeAsync<Order>("orders", (_, context, _) =>
        {
            seen.TrySetResult(context);
            return Task.CompletedTask;
        });
        var time = new DateTimeOffset(2026, 5, 4, 3, 2, 1, 7, TimeSpan.FromHours(2));
        await service.Kafka.SendAsync("orders", new Order(7), "kéy",
            new SendOptions { Partition = 3, Timestamp = time, Headers = new MessageHeaders().Add("a", "1").Add("a", "2").Add("empty", "")
                .Add("null", (byte[]?)null) });
        var context = await seen.Task.WaitAsync(Waiting.Deadline);
        context.Topic.Should().Be("orders");
        context.Partition.Should().Be(3);
        context.Offset.Should().Be(0);
        context.Key.AsText().Should().Be("kéy");
        context.Group.Should().Be("g");
        context.Attempt.Should().Be(1);
        context.Timestamp.Should().Be(time);
        context.Timestamp.Offset.Should().Be(TimeSpan.Zero);
        context.Services.Should().BeNull("there is no container");
        context.RawValue!.Value.ToArray().Should().Equal("""{"number":7}"""u8.ToArray());
        var headers = context.Headers.Where(header => header.Name is "a" or "empty" or "null").ToList();
        headers.Select(header => header.Name).Should().Equal("a", "a", "empty", "null");
        context.Headers.TryGet("empty", out var empty).Should().BeTrue();
        empty.Should().BeEmpty();
        context.Headers.TryGet("null", out var none).Should().BeTrue();
        none.Should().BeNull();
    }

    [Theory]
    [InlineData(1_700_000_000_000_000)]   // a sender that counts in microseconds
    [InlineData(long.MaxValue)]
    public async Task A_timestamp_beyond_the_calendar_is_the_last_one_and_stops_nothing(long milliseconds)
    {
        await using var service = await EmbeddedService.StartAsync();
        var seen = new TaskCompletionSource<DateTimeOffset>();
        await service.Kafka.SubscribeAsync<string>("orders", (_, context, _) =>
        {
            seen.TrySetResult(context.Timestamp);
            return Task.CompletedTask;
        });
        using var other = new Confluent.Kafka.ProducerBuilder<string,
            string>(new Confluent.Kafka.ProducerConfig { BootstrapServers = service.Broker.BootstrapServers }).Build();
        await other.ProduceAsync("orders", new() { Key = "k", Value = "x", Timestamp = new(milliseconds, Confluent.Kafka.TimestampType.CreateTime) });
        (await seen.Task.WaitAsync(Waiting.Deadline)).Should().BeCloseTo(DateTimeOffset.MaxValue, TimeSpan.FromMilliseconds(1));
    }

    [Fact]
    public async Task Raw_handlers_get_the_value_as_it_is()
    {
        await using var service = await EmbeddedService.StartAsync();
        var got = new ConcurrentDictionary<string, byte[]>(StringComparer.Ordinal);
        Task Take(string topic, byte[] bytes)
        {
            got[topic] = bytes;
            return Task.CompletedTask;
        }

        await Task.WhenAll(
            service.Kafka.SubscribeAsync<string>("text", (message, _, _) => Take("text", System.Text.Encoding.UTF8.GetBytes(message))),
            service.Kafka.SubscribeAsync<byte[]>("bytes", (message, _, _) => Take("bytes", message)),
            service.Kafka.SubscribeAsync<ReadOnlyMemory<byte>>("memory", (message, _, _) => Take("memory", message.ToArray())));
        foreach (var topic in new[] { "text", "bytes", "memory" })
        {
            await service.SendAsync(topic, "{not json"u8.ToArray());
        }

        await Waiting.Until(() => got.Count == 3, "handled");
        got.Values.Select(System.Text.Encoding.UTF8.GetString).Should().Equal("{not json", "{not json", "{not json");
    }

    [Fact]
    public async Task Tombstones_finish_unhandled_and_counted_unless_the_subscription_opted_in()
    {
        var client = $"tombstones-{Guid.NewGuid():n}";
        await using var service = await EmbeddedService.StartAsync(options => options.ClientId = client);
        var without = new ConcurrentQueue<Order?>();
        var with = new ConcurrentQueue<(Order? Message, bool HasValue)>();
        await Task.WhenAll(
            service.Kafka.SubscribeAsync<Order>("without", (message, _, _) =>
            {
                without.Enqueue(message);
                return Task.CompletedTask;
            }),
            service.Kafka.SubscribeAsync<Order?>("with", (message, context, _) =>
            {
                with.Enqueue((message, context.RawValue is not null));
                return Task.CompletedTask;
            }, configure: options => options.IncludeTombstones = true));
        foreach (var topic in new[] { "without", "with" })
        {
            await service.SendAsync(topic, new Order(1), "k", 0);
            await service.Kafka.SendTombstoneAsync(topic, "k", new SendOptions { Partition = 0 });
            await service.SendAsync(topic, new Order(2), "k", 0);
        }

        await Waiting.Until(() => without.Count == 2 && with.Count == 3, "handled");
        without.Should().Equal(new Order(1), new Order(2));
        with.Should().Equal((new Order(1), true), (null, false), (new Order(2), true));
        Readings.Of("narad.kafka.messages.tombstones", client).Should().Be(1);
        await Waiting.Until(() => service.Committed("without") == 3, "the tombstone is finished");
    }

    [Fact]
    public async Task At_its_time_limit_the_token_is_cancelled_and_the_invocation_counts_as_failed()
    {
        await using var service = await EmbeddedService.StartAsync();
        var attempts = new ConcurrentQueue<int>();
        var subscription = await service.Kafka.SubscribeAsync<string>(
            "orders",
            async (_, context, token) =>
            {
                attempts.Enqueue(context.Attempt);
                token.Register(() => throw new InvalidOperationException("a callback of the application's"));
                await Task.Delay(Timeout.Infinite, token);
            },
            configure: options =>
            {
                options.Timeout = TimeSpan.FromMilliseconds(999);
                options.Retry.InMemory.MaxAttempts = 1;
            });   // long enough for the handler to begin on a busy machine
        await service.SendAsync("orders", "x", "k", 0);
        await Waiting.Until(() => subscription.StoppedPartitions.Count == 1, "stopped");
        attempts.Should().Equal(1, 2);
        subscription.StoppedPartitions[0].Reason.Should().BeOfType<TimeoutException>().Which.Message.Should().Contain("limit of 999 ms")
            .And.Contain("orders[0]");
        await Waiting.Until(() => service.Log.Count(3014) == 2, "the callbacks' exceptions are logged");
    }

    [Fact]
    public async Task A_limit_that_comes_after_the_invocation_ended_changes_nothing()
    {
        await using var service = await EmbeddedService.StartAsync();
        var tokens = new ConcurrentQueue<CancellationToken>();
        await service.Kafka.SubscribeAsync<string>(
            "orders",
            (_, _, token) =>
            {
                tokens.Enqueue(token);
                return Task.CompletedTask;
            },
            configure: options => options.Timeout = TimeSpan.FromSeconds(2));
        await service.SendAsync("orders", "1", "k", 0);
        await Waiting.Until(() => tokens.Count == 1, "handled");
        using var later = new CancellationTokenSource(TimeSpan.FromSeconds(3));
        await Waiting.Until(() => later.IsCancellationRequested, "the limit is over");
        await service.SendAsync("orders", "2", "k", 0);
        await Waiting.Until(() => tokens.Count == 2, "the process lives, and continues");
        tokens.Should().OnlyContain(token => !token.IsCancellationRequested);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData(100)]
    public void A_time_limit_that_no_timer_can_keep_is_refused(int days) =>
        FluentActions.Invoking(() =>
            SubscriptionOptionsValidator.ThrowIfInvalid(
                new SubscriptionOptions { Timeout = TimeSpan.FromDays(days) }, "orders", KafkaAssignor.Range, isBatch: false, []))
            .Should().Throw<KafkaConfigurationException>().WithMessage("*Kafka:Subscriptions:orders:Timeout = *above 0*");

    [Fact]
    public async Task At_the_end_of_the_shutdown_drain_the_token_is_cancelled_and_the_message_stays_unfinished()
    {
        using var broker = EmbeddedBroker.Start();
        var cancelled = new TaskCompletionSource();
        await using (var service = await EmbeddedService.StartAsync(options => options.ShutdownTimeout = TimeSpan.FromSeconds(1), broker))
        {
            var runs = new TaskCompletionSource();
            await service.Kafka.SubscribeAsync<string>("orders", async (_, _, token) =>
            {
                runs.TrySetResult();
                try
                {
                    await Task.Delay(Timeout.Infinite, token);
                }
                catch (OperationCanceledException)
                {
                    cancelled.TrySetResult();
                    throw;
                }
            });
            await service.SendAsync("orders", "x", "k", 0);
            await runs.Task.WaitAsync(Waiting.Deadline);
            var report = await service.Kafka.DisconnectAsync();
            report.Abandoned.Should().ContainMatch("*orders[0]*");
            await cancelled.Task.WaitAsync(Waiting.Deadline);
            service.Committed("orders").Should().BeNull();
        }
    }

    [Fact]
    public async Task A_handler_that_hangs_at_shutdown_is_named_though_the_poll_thread_is_late()
    {
        using var broker = EmbeddedBroker.Start();
        using var late = new ManualResetEventSlim();
        await using var service = await EmbeddedService.StartAsync(options => options.ShutdownTimeout = TimeSpan.FromSeconds(1), broker);
        var runs = new TaskCompletionSource();
        var finish = new TaskCompletionSource();
        await service.Kafka.SubscribeAsync<string>("orders", (_, _, _) =>
        {
            runs.TrySetResult();
            return finish.Task;
        });
        await service.SendAsync("orders", "x", "k", 0);
        await runs.Task.WaitAsync(Waiting.Deadline);
        var group = service.Kafka.Groups.Single();
        var isLate = new TaskCompletionSource();
        var asked = group.AskAsync(
            _ =>
            {
                isLate.SetResult();
                late.Wait();
            },
            CancellationToken.None);
        await isLate.Task.WaitAsync(Waiting.Deadline);
        var report = await service.Kafka.DisconnectAsync();
        report.Abandoned.Should().ContainMatch("1 handler(s) of orders[0]*");
        late.Set();
        finish.SetResult();
        await Task.WhenAll(asked, group.Loop!.Ended).WaitAsync(Waiting.Deadline);
    }

    [Fact]
    public async Task Shutdown_finishes_what_runs_and_commits_it()
    {
        using var broker = EmbeddedBroker.Start();
        await using var service = await EmbeddedService.StartAsync(broker: broker);
        var runs = new TaskCompletionSource();
        var finish = new TaskCompletionSource();
        CancellationToken seen = default;
        await service.Kafka.SubscribeAsync<string>("orders", async (_, _, token) =>
        {
            seen = token;
            runs.TrySetResult();
            await finish.Task;
        });
        await service.SendAsync("orders", "x", "k", 0);
        await runs.Task.WaitAsync(Waiting.Deadline);
        var disconnecting = service.Kafka.DisconnectAsync();
        seen.IsCancellationRequested.Should().BeFalse();
        finish.SetResult();
        (await disconnecting).Abandoned.Should().BeEmpty();
        service.Committed("orders").Should().Be(1);
    }

    [Fact]
    public async Task A_handler_is_unit_tested_without_any_broker()
    {
        var context = new MessageContext { Topic = "orders", Partition = 1, Offset = 2, Key = "k", Headers = new MessageHeaders().Add("h", "v") };
        var handler = new Doubling();
        await handler.HandleAsync(21, context, CancellationToken.None);
        handler.Seen.Should().Be(42);
        new MessageBatch<int>([(1, context)]).Topic.Should().Be("orders");
    }

    private sealed record Order(int Number);

    private sealed class Doubling : IMessageHandler<int>
    {
        public int Seen { get; private set; }

        public Task HandleAsync(int message, MessageContext context, CancellationToken cancellationToken)
        {
            Seen = message * 2;
            return Task.CompletedTask;
        }
    }
}
