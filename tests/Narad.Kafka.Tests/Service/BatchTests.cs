using System.Collections.Concurrent;

namespace Narad.Kafka.Tests.Service;

/// <summary>Batches: of one partition, in offset order, bounded by size and time, failing as a whole or where they say.</summary>
public sealed class BatchTests
{
    [Fact]
    public async Task A_batch_is_of_one_partition_in_offset_order_and_at_most_as_large_as_told()
    {
        await using var service = await EmbeddedService.StartAsync();
        for (var i = 0; i < 25; i++)
        {
            await service.SendAsync("orders", $"{i}", partition: i % 2);
        }

        var batches = new ConcurrentQueue<List<(int Partition, long Offset)>>();
        await service.Kafka.SubscribeBatchAsync<string>(
            "orders",
            (batch, _) =>
            {
                batch.Items.Should().OnlyContain(item => item.Context.Partition == batch.Partition && item.Context.Topic == batch.Topic);
                batches.Enqueue([.. batch.Items.Select(item => (item.Context.Partition, item.Context.Offset))]);
                return Task.CompletedTask;
            },
            configure: options => { options.MaxBatchSize = 5; options.MaxBatchWait = TimeSpan.FromMilliseconds(100); });
        await Waiting.Until(() => batches.Sum(batch => batch.Count) == 25, "all handled");
        batches.Should().OnlyContain(batch => batch.Count <= 5);
        for (var partition = 0; partition < 2; partition++)
        {
            var mine = batches.Where(batch => batch[0].Partition == partition).ToList();
            mine.SelectMany(batch => batch).Select(item => item.Offset).Should()
                .Equal(Enumerable.Range(0, partition == 0 ? 13 : 12).Select(offset => (long)offset));
            mine[0].Should().HaveCount(5, "it was full at once");
        }

        await Waiting.Until(() => service.Committed("orders") == 13 && service.Committed("orders", 1) == 12, "all committed");
    }

    [Fact]
    public async Task A_batch_that_does_not_fill_goes_after_its_wait()
    {
        await using var service = await EmbeddedService.StartAsync();
        var handled = new TaskCompletionSource<int>();
        await service.Kafka.SubscribeBatchAsync<string>(
            "orders",
            (batch, _) =>
            {
                handled.TrySetResult(batch.Items.Count);
                return Task.CompletedTask;
            },
            configure: options => { options.MaxBatchSize = 1_000; options.MaxBatchWait = TimeSpan.FromMilliseconds(300); });
        var started = TimeProvider.System.GetTimestamp();
        await service.SendAsync("orders", "1", partition: 0);
        await service.SendAsync("orders", "2", partition: 0);
        (await handled.Task.WaitAsync(TimeSpan.FromSeconds(5))).Should().Be(2);
        TimeProvider.System.GetElapsedTime(started).Should().BeGreaterThan(TimeSpan.FromMilliseconds(280));
    }

    [Fact]
    public async Task A_failure_repeats_the_batch_as_a_whole_then_stops_at_its_first_message()
    {
        var run = await RunAsync(10, (batch, _) => batch.Exists(item => item.Message == "5") ? throw new InvalidOperationException()
            : Task.CompletedTask, retries: 2, size: 10);
        await using var service = run.Service;
        await Waiting.Until(() => run.Subscription.StoppedPartitions.Count == 1, "stopped");
        run.Batches.Should().HaveCount(3);
        run.Batches.Should().OnlyContain(batch => batch.SequenceEqual(run.Batches.First()));
        run.Subscription.StoppedPartitions[0].Offset.Should().Be(0);
        service.Committed("orders").Should().BeNull();
    }

    [Fact]
    public async Task BatchFailedException_finishes_what_is_before_the_index_and_stops_there_and_resumes_there()
    {
        var broken = true;
        var run = await RunAsync(
            10,
            (batch, _) =>
            {
                var index = batch.FindIndex(item => item.Message == "4");
                return index >= 0 && Volatile.Read(ref broken) ? throw new BatchFailedException(index, new FormatException("four")) : Task.CompletedTask;
            },
            retries: 1,
            size: 10);
        await using var service = run.Service;
        await Waiting.Until(() => run.Subscription.StoppedPartitions.Count == 1, "stopped");
        run.Subscription.StoppedPartitions[0].Offset.Should().Be(4);
        run.Subscription.StoppedPartitions[0].Reason.Should().BeOfType<FormatException>();
        run.Batches.ToArray()[^1][0].Should().Be("4", "what was before it is finished and not repeated");
        run.Batches.Should().HaveCount(2, "one invocation and one retry");
        await Waiting.Until(() => service.Committed("orders") == 4, "what was before it is committed");
        Volatile.Write(ref broken, false);
        (await run.Subscription.ResumeAsync(new("orders", 0))).Should().BeTrue();
        await Waiting.Until(() => service.Committed("orders") == 10, "the rest is handled");
        run.Batches.SelectMany(batch => batch).Count(message => message == "4").Should().Be(3);
        run.Batches.SelectMany(batch => batch).Count(message => message == "3").Should().Be(1);
    }

    [Fact]
    public async Task After_the_last_retry_only_the_first_message_is_dead_lettered_and_the_next_batch_begins_behind_it_with_all_attempts()
    {
        var run = await RunAsync(4, (batch, _) => batch.Exists(item => item.Message == "1") ? throw new InvalidOperationException()
            : Task.CompletedTask, retries: 1, size: 4, deadLetters: true);
        await using var service = run.Service;
        await Waiting.Until(() => service.Committed("orders") == 4, "all finished");
        run.Batches.Should().BeEquivalentTo(
            new[] { new[] { "0", "1", "2", "3" }, ["0", "1", "2", "3"], ["1", "2", "3"], ["1", "2", "3"], ["2", "3"] },
            options => options.WithStrictOrdering());
        (await service.Kafka.DeadLetters.GetPageAsync("orders-dlt")).Items.Select(letter => letter.SourceOffset).Should().Equal(0, 1);
        run.Subscription.StoppedPartitions.Should().BeEmpty();
    }

    [Fact]
    public async Task After_the_last_retry_BatchFailedException_dead_letters_the_message_at_its_index_alone()
    {
        var run = await RunAsync(
            4,
            (batch, _) =>
            {
                var index = batch.FindIndex(item => item.Message == "1");
                return index >= 0 ? throw new BatchFailedException(index, new FormatException("one")) : Task.CompletedTask;
            },
            retries: 1,
            size: 4,
            deadLetters: true);
        await using var service = run.Service;
        await Waiting.Until(() => service.Committed("orders") == 4, "all finished");
        run.Batches.Should().BeEquivalentTo(
            new[] { new[] { "0", "1", "2", "3" }, ["1", "2", "3"], ["2", "3"] }, options => options.WithStrictOrdering());
        var letters = (await service.Kafka.DeadLetters.GetPageAsync("orders-dlt")).Items;
        letters.Should().ContainSingle().Which.SourceOffset.Should().Be(1);
        letters[0].ExceptionType.Should().EndWith(nameof(FormatException));
    }

    [Fact]
    public async Task BatchFailedException_behind_the_batchs_end_fails_it_as_a_whole()
    {
        var run = await RunAsync(3, (_, _) => throw new BatchFailedException(99), retries: 0, size: 10);
        await using var service = run.Service;
        await Waiting.Until(() => run.Subscription.StoppedPartitions.Count == 1, "stopped");
        run.Subscription.StoppedPartitions[0].Offset.Should().Be(0);
    }

    [Fact]
    public async Task Poison_in_the_middle_is_reached_after_what_is_before_it_and_skipped_alone()
    {
        await using var service = await EmbeddedService.StartAsync();
        var batches = new ConcurrentQueue<int[]>();
        foreach (var value in new[] { "1", "2", "poison", "4", "5" })
        {
            await service.SendAsync("orders", value, partition: 0);
        }

        var subscription = await service.Kafka.SubscribeBatchAsync<int>(
            "orders",
            (batch, _) =>
            {
                batches.Enqueue([.. batch.Items.Select(item => item.Message)]);
                return Task.CompletedTask;
            },
            configure: options => { options.MaxBatchSize = 5; options.MaxBatchWait = TimeSpan.FromMilliseconds(100); });
        await Waiting.Until(() => subscription.StoppedPartitions.Count == 1, "stopped");
        subscription.StoppedPartitions[0].Offset.Should().Be(2);
        subscription.StoppedPartitions[0].Reason.Should().BeOfType<MessageDeserializationException>();
        batches.SelectMany(batch => batch).Should().Equal(1, 2);
        (await subscription.SkipFailedMessageAsync(new("orders", 0))).Should().BeTrue();
        await Waiting.Until(() => service.Committed("orders") == 5, "the rest");
        batches.SelectMany(batch => batch).Should().Equal(1, 2, 4, 5);
    }

    [Fact]
    public async Task Tombstones_in_the_middle_are_left_out_counted_once_and_do_not_shift_the_index()
    {
        var client = $"batch-{Guid.NewGuid():n}";
        await using var service = await EmbeddedService.StartAsync(options => options.ClientId = client);
        await service.SendAsync("orders", "0", "a", 0);
        await service.Kafka.SendTombstoneAsync("orders", "b", new SendOptions { Partition = 0 });
        await service.SendAsync("orders", "2", "c", 0);
        await service.SendAsync("orders", "3", "d", 0);
        var batches = new ConcurrentQueue<string[]>();
        var subscription = await service.Kafka.SubscribeBatchAsync<string>(
            "orders",
            (batch, _) =>
            {
                batches.Enqueue([.. batch.Items.Select(item => item.Message)]);
                return batches.Count switch
                {
                    1 => throw new InvalidOperationException(),
                    2 => throw new BatchFailedException(2),
                    _ => Task.CompletedTask,
                };
            },
            configure: options => { options.MaxBatchSize = 4; options.Retry.InMemory.MaxAttempts = 1; });
        await Waiting.Until(() => service.Committed("orders") == 4 || subscription.StoppedPartitions.Count > 0, "finished");
        batches.Should().BeEquivalentTo(new[] { new[] { "0", "2", "3" }, ["0", "2", "3"], ["3"] }, options => options.WithStrictOrdering());
        await Waiting.Until(() => service.Committed("orders") == 4, "committed");
        Readings.Of("narad.kafka.messages.tombstones", client).Should().Be(1);
    }

    private static async Task<(EmbeddedService Service, ISubscription Subscription, ConcurrentQueue<string[]> Batches)> RunAsync(
        int messages, Func<List<(string Message, MessageContext Context)>, CancellationToken, Task> handler, int retries, int size,
        bool deadLetters = false)
    {
        var service = await EmbeddedService.StartAsync();
        for (var i = 0; i < messages; i++)
        {
            await service.SendAsync("orders", $"{i}", partition: 0);
        }

        var batches = new ConcurrentQueue<string[]>();
        var subscription = await service.Kafka.SubscribeBatchAsync<string>(
            "orders",
            async (batch, token) =>
            {
                batches.Enqueue([.. batch.Items.Select(item => item.Message)]);
                await handler([.. batch.Items], token);
            },
            configure: options =>
            {
                options.MaxBatchSize = size;
                options.MaxBatchWait = TimeSpan.FromMilliseconds(100);
                options.Retry.InMemory.MaxAttempts = retries;
                options.DeadLetter.Enabled = deadLetters;
            });
        return (service, subscription, batches);
    }
}
