using System.Collections.Concurrent;
using System.Diagnostics;
using Confluent.Kafka;
using Narad.Kafka.Producing;
using Narad.Kafka.Shared;

namespace Narad.Kafka.Tests.Producing;

/// <summary>Who waits goes in order, holds no thread, and can leave.</summary>
public sealed class SendQueueTests
{
    [SkippableTheory, Trait("Promise", "S2")]
    [InlineData("Embedded")]
    [InlineData("Kafka")]
    [Trait("Trap", "full-queue-interleaves")]
    public async Task A_full_queue_is_waited_out_in_order(string where)
    {
        await using var sending = await Sending.ConnectAsync(where, options =>
        {
            options.ClientProperties["queue.buffering.max.messages"] = "100";
            options.TopicPartitions = 3;
        });
        var topic = Sending.NewTopic();
        await sending.SendAsync(topic, "the topic is there and known");

        var sends = Enumerable.Range(0, 5000).Select(i => sending.SendAsync(topic, $"{i}", $"{i % 7}").AsTask()).ToList();
        var results = await Task.WhenAll(sends).WaitAsync(Sending.Timeout);

        foreach (var partition in results.GroupBy(result => result.Partition))
        {
            partition.Select(result => result.Offset).Should().BeInAscendingOrder();
        }
    }

    [Fact, Trait("Promise", "S2")]
    public async Task A_later_send_never_overtakes_one_that_waits_and_nobody_spins()
    {
        var clients = new ScriptedClients { Capacity = 2 };
        await using var sending = await Sending.ConnectAsync(clients);
        var sends = Enumerable.Range(0, 100).Select(i => sending.SendAsync("t", $"{i}").AsTask()).ToList();
        var client = clients.Last;

        client.Taken.Should().Equal("0", "1");
        for (var reported = 0; reported < 100; reported++)
        {
            await Sending.Until(() => client.Taken.Count > reported, "the next one to be taken");
            client.Report();
        }

        await Task.WhenAll(sends).WaitAsync(Sending.Timeout);
        client.Taken.Should().Equal(Enumerable.Range(0, 100).Select(i => $"{i}"));
        client.Refusals.Should().BeLessThan(210, "a refusal costs an exception: at most about two a report");
    }

    [Fact, Trait("Promise", "S2")]
    public async Task A_new_send_does_not_take_the_room_that_one_who_waits_has_not_seen_yet()
    {
        var clients = new ScriptedClients { Capacity = 16 };
        await using var sending = await Sending.ConnectAsync(clients);
        var sends = Enumerable.Range(0, 17).Select(i => sending.SendAsync("t", $"{i}").AsTask()).ToList();

        // Room for one; the queue continues when there is room for an eighth.
        clients.Last.Report();
        sends.Add(sending.SendAsync("t", "17").AsTask());
        clients.Last.Taken.Should().HaveCount(16);
        clients.Last.Report();
        await Sending.Until(() => clients.Last.Taken.Count == 18, "both to be taken");

        clients.Last.Taken.Should().Equal(Enumerable.Range(0, 18).Select(i => $"{i}"));
        clients.Last.Report(16);
        await Task.WhenAll(sends).WaitAsync(Sending.Timeout);
    }

    [Fact, Trait("Promise", "S2")]
    public async Task Who_waits_can_leave_the_queue_and_the_others_continue_in_order()
    {
        var clients = new ScriptedClients { Capacity = 1 };
        await using var sending = await Sending.ConnectAsync(clients);
        using var leaving = new CancellationTokenSource();
        var first = sending.SendAsync("t", "first").AsTask();
        var second = sending.SendAsync("t", "second", ct: leaving.Token).AsTask();
        var third = sending.SendAsync("t", "third").AsTask();

        await leaving.CancelAsync();
        var cancelled = (await second.Invoking(send => send).Should().ThrowAsync<KafkaSendCanceledException>()).Which;
        cancelled.MayHaveBeenWritten.Should().BeFalse();
        cancelled.Message.Should().Contain("'t'").And.Contain("was not written");
        cancelled.CancellationToken.Should().Be(leaving.Token);
        clients.Last.Report();
        await Sending.Until(() => clients.Last.Taken.Count == 2, "the third to be taken");
        clients.Last.Report();

        await Task.WhenAll(first, third).WaitAsync(Sending.Timeout);
        clients.Last.Taken.Should().Equal("first", "third");
        (await sending.Producer.StopAsync(Sending.Timeout)).Should().BeEquivalentTo(new SendCounts(2, 0, 0, []));
    }

    [Fact, Trait("Promise", "S1")]
    [Trait("Trap", "cancelled-is-written")]
    public async Task Cancelling_stops_the_waiting_and_not_the_message()
    {
        var clients = new ScriptedClients();
        await using var sending = await Sending.ConnectAsync(clients);
        using var cancellation = new CancellationTokenSource();
        var send = sending.SendAsync("t", "m", ct: cancellation.Token).AsTask();

        await cancellation.CancelAsync();
        var cancelled = (await send.Invoking(task => task).Should().ThrowAsync<KafkaSendCanceledException>()).Which;
        cancelled.MayHaveBeenWritten.Should().BeTrue();
        cancelled.Message.Should().Contain("'t'").And.Contain("may be written");
        send.IsCanceled.Should().BeTrue("a cancelled send is a cancelled task");
        sending.Producer.InFlight.Should().Be(1);
        clients.Last.Report();

        (await sending.Producer.StopAsync(Sending.Timeout)).Delivered.Should().Be(1);
    }

    [Fact, Trait("Promise", "S2")]
    public async Task Waiting_ends_with_the_send_timeout_and_then_nothing_was_written()
    {
        var clients = new ScriptedClients { Capacity = 1 };
        await using var sending = await Sending.ConnectAsync(clients, options => options.SendTimeout = TimeSpan.FromMilliseconds(300));
        _ = sending.SendAsync("t", "first").AsTask();
        var second = sending.SendAsync("t", "second", "k").AsTask();

        var failure = (await second.Invoking(send => send).Should().ThrowAsync<KafkaSendException>()).Which;

        failure.MayHaveBeenWritten.Should().BeFalse();
        failure.Retriable.Should().BeTrue();
        failure.Message.Should().Contain("'t'").And.Contain("key k").And.Contain("room in the client's queue");
        clients.Last.Report();
    }

    [Fact, Trait("Promise", "S2")]
    public async Task What_waited_in_the_queue_fails_at_the_send_timeout_from_its_call_although_the_client_would_continue()
    {
        var time = new ManualTime();
        var clients = new ScriptedClients { Capacity = 1 };
        await using var sending = await Sending.ConnectAsync(clients, options => options.SendTimeout = TimeSpan.FromSeconds(10), time);
        var first = sending.SendAsync("t", "first").AsTask();
        var second = sending.SendAsync("t", "second", "k").AsTask();
        time.Advance(TimeSpan.FromSeconds(6));
        clients.Last.Report();
        await first.WaitAsync(Sending.Timeout);
        await Sending.Until(() => clients.Last.Taken.Count == 2, "the second to be taken");
        time.Advance(TimeSpan.FromSeconds(3));
        second.IsCompleted.Should().BeFalse("it has a second left");
        time.Advance(TimeSpan.FromSeconds(2));

        var failure = (await second.WaitAsync(Sending.Timeout).Invoking(send => send).Should().ThrowAsync<KafkaSendException>()).Which;

        failure.Reason.Should().Be(nameof(ErrorCode.Local_MsgTimedOut));
        failure.MayHaveBeenWritten.Should().BeTrue("it is with the client");
        sending.Producer.InFlight.Should().Be(1);
        clients.Last.Report();
        (await sending.Producer.StopAsync(Sending.Timeout)).Should()
            .BeEquivalentTo(new SendCounts(1, 0, 0, []) { Late = 1 }, "its awaiter was told that it failed, and it was written");
    }

    [Fact, Trait("Promise", "S2")]
    public async Task Who_waits_behind_a_message_that_is_sent_again_has_no_more_time_for_that()
    {
        var clients = new ScriptedClients { Capacity = 2 };
        await using var sending = await Sending.ConnectAsync(clients, options => options.SendTimeout = TimeSpan.FromSeconds(1));
        using var stalls = new Stalls();
        var watch = Stopwatch.StartNew();
        _ = sending.SendAsync("t", "refused").AsTask();
        _ = sending.SendAsync("t", "without an answer").AsTask();
        var waits = sending.SendAsync("t", "waits").AsTask();
        await Sending.Until(() => watch.Elapsed > TimeSpan.FromMilliseconds(600), "most of the time to pass");
        clients.Last.Report(1, ErrorCode.MsgSizeTooLarge, PersistenceStatus.NotPersisted);

        (await waits.WaitAsync(Sending.Timeout).Invoking(send => send).Should().ThrowAsync<KafkaSendException>()).Which.MayHaveBeenWritten.Should().BeFalse();

        watch.Elapsed.Should().BeLessThan(TimeSpan.FromSeconds(1.5) + stalls.Allowance);
        clients.Last.Report(2);
    }

    [Fact, Trait("Promise", "S2")]
    public async Task Middleware_may_await_a_send_to_the_topic_of_its_message_and_that_one_comes_first()
    {
        var clients = new ScriptedClients();
        Sending? sending = null;
        await using var connected = await Sending.ConnectAsync(
            clients, options => options.SendMiddleware.Add(new Announcing((topic, text) => sending!.SendAsync(topic, text))));
        sending = connected;
        var sends = Enumerable.Range(0, 3).Select(i => sending.SendAsync("t", $"{i}").AsTask()).ToList();

        // Each announces itself, and each announcement does so too; nothing of the outer goes before its announcement was acknowledged.
        for (var reported = 0; reported < 9; reported++)
        {
            await Sending.Until(() => clients.Last.Taken.Count > reported, "the next to be taken");
            clients.Last.Report();
        }

        await Task.WhenAll(sends).WaitAsync(Sending.Timeout);
        var taken = clients.Last.Taken.ToList();
        taken.Should().HaveCount(9);
        taken.Where(text => !text.StartsWith('+')).Should().Equal("0", "1", "2");
        for (var i = 0; i < 3; i++)
        {
            taken.IndexOf($"++{i}").Should().BeLessThan(taken.IndexOf($"+{i}"));
            taken.IndexOf($"+{i}").Should().BeLessThan(taken.IndexOf($"{i}"));
        }
    }

    [Fact, Trait("Promise", "S2")]
    public async Task A_serializer_that_takes_its_time_keeps_the_place_of_its_message_and_holds_no_other_topic_up()
    {
        var clients = new ScriptedClients();
        var serializer = new SlowSerializer();
        await using var sending = await Sending.ConnectAsync(clients, options => options.Serializer = serializer);
        var slow = sending.SendAsync("t", 1).AsTask();
        var raw = sending.SendAsync("t", "after").AsTask();
        var elsewhere = sending.SendAsync("other", "elsewhere").AsTask();

        clients.Last.Taken.Should().Equal("elsewhere");
        serializer.Go.SetResult("slow"u8.ToArray());
        await Sending.Until(() => clients.Last.Taken.Count == 3, "all to be taken");

        clients.Last.Taken.Should().Equal("elsewhere", "slow", "after");
        clients.Last.Report(3);
        await Task.WhenAll(slow, raw, elsewhere).WaitAsync(Sending.Timeout);
    }

    [Fact, Trait("Promise", "S2")]
    public async Task A_serializer_that_throws_gives_its_place_up_and_its_error_names_topic_and_key()
    {
        var clients = new ScriptedClients();
        var serializer = new SlowSerializer();
        await using var sending = await Sending.ConnectAsync(clients, options => options.Serializer = serializer);
        var slow = sending.SendAsync("t", 1, "k").AsTask();
        var after = sending.SendAsync("t", "after").AsTask();

        serializer.Go.SetException(new FormatException("no"));
        (await slow.Invoking(send => send).Should().ThrowAsync<KafkaSendException>()).Which.Message.Should().Contain("'t'").And.Contain("key k")
            .And.Contain("no");
        await Sending.Until(() => clients.Last.Taken.Count == 1, "the other to be taken");
        clients.Last.Report();
        await after.WaitAsync(Sending.Timeout);
        (await sending.Producer.StopAsync(Sending.Timeout)).Should().BeEquivalentTo(new SendCounts(1, 0, 0, []));
    }

    [Fact, Trait("Promise", "S2")]
    public async Task Middleware_that_takes_its_time_keeps_the_place_of_its_message()
    {
        var clients = new ScriptedClients();
        var middleware = new Backpressure();
        await using var sending = await Sending.ConnectAsync(clients, options => options.SendMiddleware.Add(middleware));
        var sends = Enumerable.Range(0, 20).Select(i => sending.SendAsync("t", $"{i}").AsTask()).ToList();

        foreach (var (_, go) in middleware.Waiting.OrderByDescending(entry => int.Parse(entry.Key)))
        {
            go.SetResult();
        }

        await Sending.Until(() => clients.Last.Taken.Count == 20, "all to be taken");
        clients.Last.Taken.Should().Equal(Enumerable.Range(0, 20).Select(i => $"{i}"));
        clients.Last.Report(20);
        await Task.WhenAll(sends).WaitAsync(Sending.Timeout);
    }

    [Fact]
    public async Task Middleware_may_change_the_message_answer_by_itself_and_send_elsewhere()
    {
        var clients = new ScriptedClients();
        await using var sending = await Sending.ConnectAsync(clients, options => options.SendMiddleware.Add(new Choosy()));
        var swallowed = await sending.SendAsync("t", "swallow");
        var thrown = sending.SendAsync("t", "throw").AsTask();
        var moved = sending.SendAsync("t", "move").AsTask();

        swallowed.Offset.Should().Be(-7);
        await thrown.Invoking(send => send).Should().ThrowAsync<InvalidOperationException>();
        await Sending.Until(() => clients.Last.Taken.Count == 1, "the moved one to be taken");
        clients.Last.Report();
        (await moved).Topic.Should().Be("elsewhere");
        clients.Last.Taken.Should().Equal("MOVE");
        sending.Producer.InFlight.Should().Be(0);
    }

    [Fact, Trait("Promise", "S2")]
    public async Task Senders_code_never_runs_on_the_thread_that_reports()
    {
        var clients = new ScriptedClients();
        await using var sending = await Sending.ConnectAsync(clients);
        var thread = 0;
        async Task SendAsync()
        {
            await sending.SendAsync("t", "m").ConfigureAwait(false);
            thread = Environment.CurrentManagedThreadId;
        }

        var send = SendAsync();
        var reporter = new Thread(() => clients.Last.Report());
        reporter.Start();
        await send.WaitAsync(Sending.Timeout);
        thread.Should().NotBe(reporter.ManagedThreadId);
    }

    [Fact]
    public async Task Completions_are_used_again_only_after_both_halves_let_go()
    {
        var clients = new ScriptedClients();
        await using var sending = await Sending.ConnectAsync(clients);
        for (var round = 0; round < 200; round++)
        {
            using var cancellation = new CancellationTokenSource();
            var cancelled = sending.SendAsync("t", $"c{round}", ct: cancellation.Token);
            await cancellation.CancelAsync();
            (await cancelled.AsTask().Invoking(send => send).Should().ThrowAsync<OperationCanceledException>()).Which.CancellationToken.Should()
                .Be(cancellation.Token);
            var next = sending.SendAsync("t", $"n{round}").AsTask();
            clients.Last.Report();
            next.IsCompleted.Should().BeFalse("the report was the cancelled one's");
            clients.Last.Report();
            (await next).Offset.Should().Be((round * 2) + 1);
        }
    }

    private sealed class SlowSerializer : IMessageSerializer
    {
        public TaskCompletionSource<byte[]> Go { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public ValueTask<byte[]> SerializeAsync(object message, Type type, string topic, MessageHeaders headers, CancellationToken cancellationToken) =>
            new(Go.Task);
    }

    private sealed class Backpressure : ISendMiddleware
    {
        public ConcurrentDictionary<string, TaskCompletionSource> Waiting { get; } = new();

        public async ValueTask<SendResult> SendAsync(OutgoingMessage message, SendDelegate next, CancellationToken cancellationToken)
        {
            await Waiting.GetOrAdd((string)message.Message!, _ => new(TaskCreationOptions.RunContinuationsAsynchronously)).Task;
            return await next(message, cancellationToken);
        }
    }

    private sealed class Announcing(Func<string, string, ValueTask<SendResult>> send) : ISendMiddleware
    {
        public async ValueTask<SendResult> SendAsync(OutgoingMessage message, SendDelegate next, CancellationToken cancellationToken)
        {
            if (message.Message is string text && !text.StartsWith("++", StringComparison.Ordinal))
            {
                await Task.Yield();
                await send(message.Topic, "+" + text);
            }

            return await next(message, cancellationToken);
        }
    }

    private sealed class Choosy : ISendMiddleware
    {
        public async ValueTask<SendResult> SendAsync(OutgoingMessage message, SendDelegate next, CancellationToken cancellationToken)
        {
            switch (message.Message)
            {
                case "swallow":
                    return new SendResult(message.Topic, -7, -7);
                case "throw":
                    throw new InvalidOperationException("no");
                default:
                    message.Topic = "elsewhere";
                    message.Message = "MOVE";
                    return await next(message, cancellationToken);
            }
        }
    }
}
