using System.Collections.Concurrent;
using System.Text;
using Confluent.Kafka;
using Narad.Kafka.Shared;
using Narad.Kafka.Tests.Consuming;

namespace Narad.Kafka.Tests.Transactions;

/// <summary>What handlers send, offsets and dead letters count together or not at all.</summary>
public sealed class ExactlyOnceTests(KafkaTestBroker broker) : IClassFixture<KafkaTestBroker>
{
    private const int TookTooLong = 8004;

    [SkippableFact]
    [Trait("Promise", "S27")]
    public async Task Outputs_and_offsets_appear_together_when_the_last_handler_finished()
    {
        var exactly = await Exactly.OnAsync(broker);
        await exactly.SendAsync(0, "a", "b", "c");
        var release = new TaskCompletionSource();
        await using var kafka = await exactly.StartAsync();
        await exactly.SubscribeAsync(kafka, (message, _, _) => message == "c" ? release.Task : Task.CompletedTask);

        await Waiting.Until(() => exactly.Invoked.Count == 3, "all handlers run");
        exactly.Committed(expected: 0).Should().BeEmpty("one of its handlers runs still");
        exactly.Committed(0).Should().Be(-1);

        release.SetResult();

        await exactly.CommittedReaches(0, 3);
        exactly.Committed(expected: 3).Should().BeEquivalentTo("out-a", "out-b", "out-c");
    }

    [SkippableFact]
    [Trait("Promise", "S27")]
    [Trait("Promise", "S34")]
    public async Task An_orderly_stop_behind_a_blocked_message_repeats_no_output_and_nothing_is_recorded_or_believed_beside_the_offset()
    {
        var exactly = await Exactly.OnAsync(broker);
        string[] values = [.. Enumerable.Range(0, 40).Select(static n => $"{n}")];
        await exactly.SendAsync(0, values);
        broker.Commit(exactly.Group, exactly.Topic, 0, 0, "narad1;0;;0;0;somebody's");
        var release = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using (var first = await exactly.StartAsync())
        {
            await exactly.SubscribeAsync(first, (message, _, token) => message == "5" ? release.Task.WaitAsync(token) : Task.CompletedTask);
            await exactly.Until(() => exactly.Invoked.Contains("5"), "it handles");
            var loop = first.Groups.Single().Loop!;
            var stopping = first.DisconnectAsync();
            await exactly.Until(() => loop.IsStopping, "it stops");
            release.SetResult();
            await stopping;
        }

        await using var second = await exactly.StartAsync();
        await exactly.SubscribeAsync(second);
        await exactly.CommittedReaches(0, 40);

        exactly.Committed(expected: 40).Should().BeEquivalentTo(values.Select(static value => $"out-{value}"), "each output is there once");
        broker.CommittedWithMetadata(exactly.Group, exactly.Topic, 0)!.Value.Metadata.Should().BeNullOrEmpty();
        second.Groups.Single().Metrics.SkipsAsHandled.Should().Be(0);
    }

    [SkippableFact]
    [Trait("Promise", "S27")]
    public async Task A_message_that_fails_is_isolated_and_what_its_neighbours_sent_appears_once()
    {
        var exactly = await Exactly.OnAsync(broker, partitions: 2);
        await exactly.SendAsync(0, "a", "b", "poison", "c", "d");
        await exactly.SendAsync(1, "x", "y");
        await using var kafka = await exactly.StartAsync();
        await exactly.SubscribeAsync(
            kafka,
            (message, _, _) => message == "poison" ? throw new FormatException("no") : Task.CompletedTask,
            s => { s.Parallelism = 1; s.DeadLetter.Enabled = true; });

        await exactly.CommittedReaches(0, 5);
        await exactly.CommittedReaches(1, 2);

        exactly.Committed(expected: 6).Should().BeEquivalentTo("out-a", "out-b", "out-c", "out-d", "out-x", "out-y");
        exactly.Committed($"{exactly.Topic}-dlt", 1).Should().Equal("poison");
        exactly.Invoked.Count(message => message == "poison").Should().Be(1, "there are no retries");
    }

    [SkippableTheory]
    [InlineData(UnknownTypePolicy.Skip)]
    [InlineData(UnknownTypePolicy.DeadLetter)]
    [Trait("Promise", "S27")]
    public async Task Handlers_by_type_send_by_their_routes_in_the_transaction_and_other_types_end_in_it_too(UnknownTypePolicy policy)
    {
        var exactly = await Exactly.OnAsync(broker);
        await exactly.SendAsync(0, """{"type":"GREETING","text":"a"}""", """{"type":"X"}""", """{"type":"GREETING","text":"b"}""");
        await using var kafka = await exactly.StartAsync(options => options.Routes.Add<Reply>(exactly.Outputs, route =>
        {
            route.KeySelector = reply => reply.Text;
            route.Headers.Add("kind", "reply");
        }));
        await kafka.SubscribeByTypeAsync(
            exactly.Topic,
            types => types
                .On<Greeting>("GREETING", async (greeting, context, token) =>
                    await context.SendAsync(new Reply($"re {greeting.Text}"), cancellationToken: token))
                .Otherwise(policy),
            configure: s => (s.ExactlyOnce.Enabled, s.ExactlyOnce.MaxWait, s.DeadLetter.Enabled) = (true, TimeSpan.FromMilliseconds(20), true));

        await exactly.CommittedReaches(0, 3);

        exactly.Committed(expected: 2).Order().Should().Equal("""{"text":"re a"}""", """{"text":"re b"}""");
        var replies = broker.ReadAll(exactly.Outputs, 2);
        replies.Select(reply => Encoding.UTF8.GetString(reply.Message.Key!)).Order().Should().Equal("re a", "re b");
        replies.Should().OnlyContain(reply => reply.Message.Headers.Any(header => header.Key == "kind"));
        exactly.Committed($"{exactly.Topic}-dlt", policy is UnknownTypePolicy.DeadLetter ? 1 : 0).Should()
            .HaveCount(policy is UnknownTypePolicy.DeadLetter ? 1 : 0);
    }

    [SkippableFact]
    [Trait("Promise", "S27")]
    public async Task Retries_in_memory_are_counted_and_each_has_a_transaction_of_its_own()
    {
        var exactly = await Exactly.OnAsync(broker);
        await exactly.SendAsync(0, "a", "late", "b", "never", "c");
        var attempts = new ConcurrentQueue<(string, int)>();
        await using var kafka = await exactly.StartAsync();
        await exactly.SubscribeAsync(
            kafka,
            (message, context, _) =>
            {
                attempts.Enqueue((message, context.Attempt));
                return message == "never" || (message == "late" && context.Attempt < 3) ? throw new FormatException("no") : Task.CompletedTask;
            },
            s =>
            {
                s.Order = MessageOrder.ByPartition;
                s.Retry.InMemory.MaxAttempts = 2;
                s.Retry.InMemory.Delay = TimeSpan.FromMilliseconds(10);
                s.DeadLetter.Enabled = true;
            });

        await exactly.CommittedReaches(0, 5);

        attempts.Where(attempt => attempt.Item1 == "late").Should().Equal(("late", 1), ("late", 2), ("late", 3));
        attempts.Where(attempt => attempt.Item1 == "never").Should().Equal(("never", 1), ("never", 2), ("never", 3));
        attempts.Where(attempt => attempt.Item1 is "a" or "b" or "c").Should()
            .OnlyContain(attempt => attempt.Item2 == 1, "what was aborted for another one's failure does not count");
        exactly.Committed(expected: 4).Should().BeEquivalentTo("out-a", "out-late", "out-b", "out-c");
        exactly.Committed($"{exactly.Topic}-dlt", 1).Should().Equal("never");
    }

    [SkippableFact]
    [Trait("Promise", "S27")]
    public async Task What_cannot_be_deserialized_is_a_dead_letter_at_once_and_in_the_same_transaction_as_its_offset()
    {
        var exactly = await Exactly.OnAsync(broker);
        await exactly.SendAsync(0, "1", "nonsense", "3");
        await using var kafka = await exactly.StartAsync();
        await kafka.SubscribeAsync<int[]>(
            exactly.Topic,
            (_, _, _) => Task.CompletedTask,
            configure: s =>
            {
                s.ExactlyOnce.Enabled = true;
                s.DeadLetter.Enabled = true;
                s.Retry.InMemory.MaxAttempts = 5;
                s.Retry.InMemory.Delay = TimeSpan.FromMinutes(1);
            });

        await exactly.CommittedReaches(0, 3);

        exactly.Committed($"{exactly.Topic}-dlt", 3).Should().Equal("1", "nonsense", "3");
        var copies = broker.ReadAll($"{exactly.Topic}-dlt", 3);
        copies.Select(copy => Encoding.UTF8.GetString(copy.Message.Headers.GetLastBytes("narad-offset"))).Should().Equal("0", "1", "2");
        (await broker.EndOfAsync($"{exactly.Topic}-dlt", 0)).Should().BeGreaterThan(3, "the marker of a transaction has an offset too");
    }

    [SkippableFact]
    [Trait("Promise", "S27")]
    public async Task A_failure_that_no_policy_covers_stops_its_partition_there_and_it_goes_on_when_it_is_told()
    {
        var exactly = await Exactly.OnAsync(broker, partitions: 2);
        await exactly.SendAsync(0, "a", "bad", "b", "worse", "c");
        await exactly.SendAsync(1, "x");
        var repaired = false;
        await using var kafka = await exactly.StartAsync();
        var subscription = await exactly.SubscribeAsync(
            kafka,
            (message, _, _) => message == "worse" || (message == "bad" && !Volatile.Read(ref repaired)) ? throw new FormatException("no") : Task.CompletedTask);

        await Waiting.Until(() => subscription.StoppedPartitions.Count == 1, "the partition stops");
        await exactly.CommittedReaches(1, 1);
        await exactly.CommittedReaches(0, 1);
        subscription.StoppedPartitions[0].Offset.Should().Be(1);
        exactly.Committed(0).Should().Be(1, "nothing behind it is committed");
        exactly.Committed(expected: 2).Should().BeEquivalentTo("out-a", "out-x");

        Volatile.Write(ref repaired, true);
        (await subscription.ResumeAsync(subscription.StoppedPartitions[0].Partition)).Should().BeTrue();
        await Waiting.Until(() => subscription.StoppedPartitions is [{ Offset: 3 }], "it stops at the next one");
        (await subscription.SkipFailedMessageAsync(subscription.StoppedPartitions[0].Partition)).Should().BeTrue();

        await exactly.CommittedReaches(0, 5);
        exactly.Committed(expected: 5).Should().BeEquivalentTo("out-a", "out-x", "out-bad", "out-b", "out-c");
    }

    [SkippableFact]
    [Trait("Promise", "S27")]
    public async Task A_message_that_is_skipped_by_policy_is_finished_and_nothing_of_it_appears()
    {
        var exactly = await Exactly.OnAsync(broker);
        await exactly.SendAsync(0, "a", "poison", "b");
        await using var kafka = await exactly.StartAsync();
        await exactly.SubscribeAsync(
            kafka,
            (message, _, _) => message == "poison" ? throw new FormatException("no") : Task.CompletedTask,
            s => s.Retry.ExceptionActions[typeof(FormatException)] = FailureAction.Skip);

        await exactly.CommittedReaches(0, 3);

        exactly.Committed(expected: 2).Should().BeEquivalentTo("out-a", "out-b");
        await Waiting.Until(() => exactly.Log.Count(3017) == 1, "it is said");
    }

    [SkippableFact]
    [Trait("Promise", "S27")]
    public async Task The_order_of_a_key_is_kept_and_what_is_behind_a_failure_does_not_begin_before_it()
    {
        var exactly = await Exactly.OnAsync(broker);
        await broker.SendAsync(exactly.Topic, 0, Enumerable.Range(0, 60).Select(n => ((string?)$"k{n % 3}", $"{n}")));
        var failed = new ConcurrentDictionary<string, bool>();
        await using var kafka = await exactly.StartAsync();
        await exactly.SubscribeAsync(
            kafka,
            (message, _, _) => int.Parse(message, System.Globalization.CultureInfo.InvariantCulture) % 7 == 3 && failed.TryAdd(message, true)
                ? throw new FormatException("no") : Task.CompletedTask,
            s => { s.Order = MessageOrder.ByKey; s.Retry.InMemory.MaxAttempts = 1; });

        await exactly.CommittedReaches(0, 60);

        var outputs = broker.ReadAll(exactly.Outputs, 60)
            .Select(result => (Key: Encoding.UTF8.GetString(result.Message.Key!), Value: Encoding.UTF8.GetString(result.Message.Value!))).ToList();
        outputs.Should().HaveCount(60);
        foreach (var key in outputs.GroupBy(output => output.Key))
        {
            key.Select(output => int.Parse(output.Value[4..], System.Globalization.CultureInfo.InvariantCulture)).Should().BeInAscendingOrder()
                .And.OnlyHaveUniqueItems();
        }
    }

    [SkippableFact]
    [Trait("Promise", "S27")]
    public async Task An_output_that_the_broker_refuses_fails_its_own_message_only_also_where_nobody_awaited_it()
    {
        var exactly = await Exactly.OnAsync(broker);
        var small = await broker.CreateSmallTopicAsync(2_000);
        await exactly.SendAsync(0, "a", "large", "b");
        await using var kafka = await exactly.StartAsync();
        await kafka.SubscribeAsync<string>(
            exactly.Topic,
            (message, context, token) =>
            {
                _ = context.SendAsync(small, message == "large" ? new string('x', 5_000) : message, cancellationToken: token).AsTask();
                return Task.CompletedTask;
            },
            configure: s => { s.ExactlyOnce.Enabled = true; s.DeadLetter.Enabled = true; });

        await exactly.CommittedReaches(0, 3);

        exactly.Committed(small, 2).Should().BeEquivalentTo("a", "b");
        exactly.Committed($"{exactly.Topic}-dlt", 1).Should().Equal("large");
    }

    [SkippableFact]
    [Trait("Promise", "S27")]
    public async Task A_transaction_that_takes_too_long_is_aborted_and_its_slow_message_has_failed()
    {
        var exactly = await Exactly.OnAsync(broker);
        await exactly.SendAsync(0, "a", "slow", "b");
        var cancelled = 0;
        Exception? reason = null;
        await using var kafka = await exactly.StartAsync();
        await exactly.SubscribeAsync(
            kafka,
            async (message, _, token) =>
            {
                if (message == "slow")
                {
                    try
                    {
                        await Task.Delay(Timeout.Infinite, token);
                    }
                    finally
                    {
                        Interlocked.Increment(ref cancelled);
                    }
                }
            },
            s =>
            {
                s.DeadLetter.Enabled = true;
                s.Retry.ActionSelector = failed =>
            {
                reason = failed.Error;
                return null;
            };
            },
            t => t.TimeLimit = TimeSpan.FromSeconds(3));   // the other two need far less, also on a busy machine

        await exactly.CommittedReaches(0, 3);

        exactly.Committed(expected: 2).Should().BeEquivalentTo("out-a", "out-b");
        exactly.Committed($"{exactly.Topic}-dlt", 1).Should().Equal("slow");
        cancelled.Should().Be(1);
        reason.Should().BeOfType<TimeoutException>();
        exactly.Log.Count(TookTooLong).Should().Be(1);
    }

    [SkippableFact]
    [Trait("Promise", "S27")]
    public async Task Messages_that_are_too_many_for_their_time_are_handled_in_smaller_transactions()
    {
        var exactly = await Exactly.OnAsync(broker);
        await exactly.SendAsync(0, [.. Enumerable.Range(0, 20).Select(n => $"{n}")]);
        await using var kafka = await exactly.StartAsync();
        await exactly.SubscribeAsync(
            kafka,
            async (_, _, token) => await Task.Delay(200, token),
            s => { s.Parallelism = 1; s.Retry.InMemory.MaxAttempts = 3; },   // on a machine that is very busy one may take half of the limit
            t => t.TimeLimit = TimeSpan.FromSeconds(2));

        await exactly.CommittedReaches(0, 20);

        exactly.Committed(expected: 20).Should().BeEquivalentTo(Enumerable.Range(0, 20).Select(n => $"out-{n}"));
        exactly.Log.Count(TookTooLong).Should().BeInRange(1, 6);
    }

    [SkippableFact]
    [Trait("Promise", "S27")]
    public async Task A_batch_lies_within_one_transaction()
    {
        var exactly = await Exactly.OnAsync(broker);
        await exactly.SendAsync(0, "a", "b", "poison", "c");
        await using var kafka = await exactly.StartAsync();
        await kafka.SubscribeBatchAsync<string>(
            exactly.Topic,
            async (batch, token) =>
            {
                for (var i = 0; i < batch.Items.Count; i++)
                {
                    await batch.Items[i].Context.SendAsync(exactly.Outputs, $"out-{batch.Items[i].Message}", cancellationToken: token);
                    if (batch.Items[i].Message == "poison")
                    {
                        throw new BatchFailedException(i, new FormatException("no"));
                    }
                }
            },
            configure: s => { s.ExactlyOnce.Enabled = true; s.DeadLetter.Enabled = true; });

        await exactly.CommittedReaches(0, 4);

        exactly.Committed(expected: 3).Should().BeEquivalentTo("out-a", "out-b", "out-c");
        exactly.Committed($"{exactly.Topic}-dlt", 1).Should().Equal("poison");
    }

    [SkippableFact]
    [Trait("Promise", "S27")]
    public async Task What_a_handler_did_not_await_belongs_to_its_transaction_and_fails_its_message()
    {
        var exactly = await Exactly.OnAsync(broker);
        await exactly.SendAsync(0, "a", "bad", "b");
        await using var kafka = await exactly.StartAsync(o => o.SendMiddleware.Add(new SlowMiddleware()));
        await kafka.SubscribeAsync<string>(
            exactly.Topic,
            (message, context, token) =>
            {
                _ = context.SendAsync(exactly.Outputs, $"out-{message}", cancellationToken: token).AsTask()
                    .ContinueWith(static sent => sent.Exception, TaskScheduler.Default);
                return Task.CompletedTask;
            },
            configure: s => { s.ExactlyOnce.Enabled = true; s.DeadLetter.Enabled = true; });

        await exactly.CommittedReaches(0, 3);

        exactly.Committed(expected: 2).Should().BeEquivalentTo("out-a", "out-b");
        exactly.Committed($"{exactly.Topic}-dlt", 1).Should().Equal("bad");
    }

    private sealed class SlowMiddleware : ISendMiddleware
    {
        public async ValueTask<SendResult> SendAsync(OutgoingMessage message, SendDelegate next, CancellationToken cancellationToken)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(300), cancellationToken);
            return message.Message is "out-bad" ? throw new FormatException("no") : await next(message, cancellationToken);
        }
    }

    [SkippableFact]
    [Trait("Promise", "S27")]
    public async Task What_a_handler_sends_after_it_returned_is_refused()
    {
        var exactly = await Exactly.OnAsync(broker);
        await exactly.SendAsync(0, "a");
        MessageContext? kept = null;
        await using var kafka = await exactly.StartAsync();
        await exactly.SubscribeAsync(kafka, (_, context, _) =>
        {
            kept = context;
            return Task.CompletedTask;
        });
        await exactly.CommittedReaches(0, 1);

        var late = async () => await kept!.SendAsync(exactly.Outputs, "late");

        (await late.Should().ThrowAsync<InvalidOperationException>()).WithMessage("*transaction*is over*");
        exactly.Committed(expected: 1).Should().Equal("out-a");
    }

    [SkippableFact]
    [Trait("Promise", "S27")]
    public async Task Shutdown_ends_the_transaction_with_what_runs_and_leaves_the_rest()
    {
        var exactly = await Exactly.OnAsync(broker);
        await exactly.SendAsync(0, [.. Enumerable.Range(0, 20).Select(n => $"{n}")]);
        var release = new TaskCompletionSource();
        await using (var kafka = await exactly.StartAsync())
        {
            await exactly.SubscribeAsync(kafka, (message, _, _) => message == "4" ? release.Task : Task.CompletedTask, s => s.Order = MessageOrder.ByPartition);
            await Waiting.Until(() => exactly.Invoked.Count == 5, "the fifth one runs");
            var leaving = kafka.DisconnectAsync();
            await Waiting.Until(() => kafka.Groups.All(group => group.Loop!.IsStopping), "the shutdown began");
            release.SetResult();
            (await leaving).Abandoned.Should().BeEmpty();
        }

        exactly.Committed(0).Should().Be(5, "what was finished in order is committed");
        exactly.Invoked.Should().HaveCount(5, "nothing more began");
        exactly.Committed(expected: 5).Should().Equal("out-0", "out-1", "out-2", "out-3", "out-4");

        await using var next = await exactly.StartAsync();
        await exactly.SubscribeAsync(next);
        await exactly.CommittedReaches(0, 20);
        exactly.Committed(expected: 20).Should().BeEquivalentTo(Enumerable.Range(0, 20).Select(n => $"out-{n}"));
    }

    [SkippableFact]
    [Trait("Promise", "S27")]
    public async Task Shutdown_does_not_wait_for_ever_and_what_a_hung_handler_sent_does_not_count()
    {
        var exactly = await Exactly.OnAsync(broker);
        await exactly.SendAsync(0, "a", "hung", "b");
        var forever = new TaskCompletionSource();
        var kafka = await exactly.StartAsync(o => o.ShutdownTimeout = TimeSpan.FromSeconds(2));
        await exactly.SubscribeAsync(kafka, (message, _, _) => message == "hung" ? forever.Task : Task.CompletedTask, s => s.Order = MessageOrder.ByPartition);
        await Waiting.Until(() => exactly.Invoked.Count == 2, "the second one runs");
        using var stalls = new Stalls();
        var watch = System.Diagnostics.Stopwatch.StartNew();

        var report = await kafka.DisconnectAsync();

        watch.Elapsed.Should().BeLessThan(TimeSpan.FromSeconds(8) + stalls.Allowance);
        report.Abandoned.Should().ContainSingle(abandoned => abandoned.Contains("handler"));
        exactly.Committed(expected: 0).Should().BeEmpty();
        exactly.Committed(0).Should().Be(-1);
        forever.SetResult();
    }

    [SkippableFact]
    [Trait("Promise", "S27")]
    public async Task A_dead_letter_that_is_sent_to_its_group_again_is_handled_exactly_once_too()
    {
        var exactly = await Exactly.OnAsync(broker);
        await exactly.SendAsync(0, "a", "poison");
        var repaired = false;
        await using var kafka = await exactly.StartAsync();
        var subscription = await exactly.SubscribeAsync(
            kafka, (message, _, _) => message == "poison" && !Volatile.Read(ref repaired) ? throw new FormatException("no")
                : Task.CompletedTask, s => s.DeadLetter.Enabled = true);
        await exactly.CommittedReaches(0, 2);

        Volatile.Write(ref repaired, true);
        await kafka.DeadLetters.RedriveAsync($"{exactly.Topic}-dlt");

        await broker.CommittedReaches($"{exactly.Group}-retry", $"{exactly.Topic}-retry", 0, 1);
        exactly.Committed(expected: 2).Should().BeEquivalentTo("out-a", "out-poison");
        subscription.RetrySubscriptions.Should().ContainSingle();
    }

    [SkippableFact]
    public async Task An_ordinary_handler_sends_through_the_service()
    {
        var exactly = await Exactly.OnAsync(broker);
        await exactly.SendAsync(0, "a");
        await using var kafka = await exactly.StartAsync();
        await kafka.ConnectProducerAsync();
        var written = new TaskCompletionSource<SendResult>();
        await kafka.SubscribeAsync<string>(
            exactly.Topic,
            async (message, context, token) => written.TrySetResult(
                await context.SendAsync(exactly.Outputs, $"out-{message}", context.Key, cancellationToken: token)));

        (await written.Task.WaitAsync(Waiting.Deadline)).Should().Be(new SendResult(exactly.Outputs, 0, 0));
    }

    internal sealed record Greeting(string Text);

    internal sealed record Reply(string Text);
}
