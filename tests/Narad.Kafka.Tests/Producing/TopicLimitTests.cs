using System.Collections.Concurrent;
using System.Diagnostics;
using Confluent.Kafka;
using Narad.Kafka.Producing;
using Narad.Kafka.Shared;

namespace Narad.Kafka.Tests.Producing;

/// <summary>A topic's limit is known before its first send goes, at the cost of one question a topic.</summary>
public sealed class TopicLimitTests
{
    [Fact, Trait("Promise", "S6")]
    public async Task The_first_sends_of_a_topic_wait_in_order_for_its_limit_and_later_ones_never()
    {
        var broker = new Answers();
        var clients = new ScriptedClients { Limits = broker.AnswerAsync };
        await using var transport = new FakeTransport();
        await using var sending = await Sending.ConnectAsync(clients, transport: transport);
        broker.Tell("known", 1_048_588);
        var known = sending.SendAsync("known", "known").AsTask();
        await Sending.Until(() => clients.Last.Taken.Count == 1, "the known one to be taken");

        var sends = Enumerable.Range(0, 10).Select(i => sending.SendAsync("held", $"{i}").AsTask()).ToList();
        sends.Add(sending.SendAsync("known", "passes").AsTask());

        clients.Last.Taken.Should().Equal("known", "passes");
        broker.Tell("held", 1_048_588);
        await Sending.Until(() => clients.Last.Taken.Count == 12, "all to be taken");
        clients.Last.Taken.Skip(2).Should().Equal(Enumerable.Range(0, 10).Select(i => $"{i}"));
        sends.Add(sending.SendAsync("held", "later").AsTask());
        clients.Last.Taken.Should().HaveCount(13, "what is known costs nothing more");
        clients.Last.Report(13);
        await Task.WhenAll(sends.Append(known)).WaitAsync(Sending.Timeout);
        broker.Asked.Should().Equal("known", "held");
    }

    [Fact, Trait("Promise", "S6")]
    public async Task No_more_than_a_limit_below_a_batch_is_with_the_client_at_a_time_and_what_is_larger_goes_alone()
    {
        var broker = new Answers();
        var clients = new ScriptedClients { Limits = broker.AnswerAsync };
        await using var transport = new FakeTransport();
        await using var sending = await Sending.ConnectAsync(clients, transport: transport);
        broker.Tell("t", 10_000);
        int[] sizes = [4000, 4000, 4000, 20_000, 100, 100];
        var sends = sizes.Select((size, i) => sending.SendAsync("t", $"{i}".PadRight(size)).AsTask()).ToList();
        var taken = clients.Last.Taken;

        await Taken(2);
        clients.Last.Report(2);
        await Taken(3);
        clients.Last.Report();
        await Taken(4);
        clients.Last.Report(1, ErrorCode.MsgSizeTooLarge, PersistenceStatus.NotPersisted);
        await Taken(6);
        clients.Last.Report(2);

        await Task.WhenAll(sends).ContinueWith(_ => { }, TaskScheduler.Default).WaitAsync(Sending.Timeout);
        sends.Select(send => send.IsCompletedSuccessfully).Should().Equal(true, true, true, false, true, true);
        taken.Select(value => value.Trim()).Should().Equal("0", "1", "2", "3", "4", "5");

        async Task Taken(int count)
        {
            await Sending.Until(() => taken.Count >= count, $"{count} to be taken");
            taken.Should().HaveCount(count);
        }
    }

    [Fact, Trait("Promise", "S6")]
    public async Task Thousands_of_topics_share_a_few_questions()
    {
        var broker = new Answers { Default = 1_048_588 };
        var clients = new ScriptedClients { Limits = broker.AnswerAsync };
        await using var transport = new FakeTransport();
        await using var sending = await Sending.ConnectAsync(clients, transport: transport);

        var sends = new List<Task<SendResult>>();
        for (var i = 0; i < 10_000; i++)
        {
            sends.Add(sending.SendAsync($"topic-{i % 5000}", $"{i}").AsTask());
        }

        await Sending.Until(() => clients.Last.Taken.Count == 10_000, "all to be taken");
        clients.Last.Report(10_000);
        await Task.WhenAll(sends).WaitAsync(Sending.Timeout);
        broker.Asked.Should().HaveCount(5000).And.OnlyHaveUniqueItems();
        broker.MostAtOnce.Should().BeLessThanOrEqualTo(200);
        broker.MostQuestionsAtOnce.Should().Be(1);
    }

    [Fact, Trait("Promise", "S6")]
    public async Task A_broker_that_may_not_tell_is_asked_once_a_topic_said_once_and_holds_nobody()
    {
        var broker = new Answers { Default = null };
        var clients = new ScriptedClients { Limits = broker.AnswerAsync };
        using var loggers = new Queues();
        await using var transport = new FakeTransport();
        await using var sending = await Sending.ConnectAsync(clients, transport: transport, loggers: loggers);

        for (var i = 0; i < 20; i++)
        {
            var send = sending.SendAsync($"topic-{i % 2}", $"{i}").AsTask();
            await Sending.Until(() => clients.Last.Taken.Count == i + 1, "it to be taken");
            clients.Last.Report();
            await send.WaitAsync(Sending.Timeout);
        }

        broker.Asked.Should().BeEquivalentTo("topic-0", "topic-1");
        loggers.Written.Where(queue => queue.Contains("does not tell")).Should().ContainSingle().Which.Should().Contain("topic-0").And.StartWith("Information");
    }

    [Fact, Trait("Promise", "S6")]
    public async Task A_broker_that_does_not_answer_holds_a_topic_for_a_quarter_of_the_send_timeout_and_the_others_not_one_after_the_other()
    {
        var clients = new ScriptedClients { Limits = _ => new TaskCompletionSource<IReadOnlyList<LimitAnswer>>().Task };
        await using var transport = new FakeTransport();
        await using var sending = await Sending.ConnectAsync(clients, options => options.SendTimeout = TimeSpan.FromSeconds(4), transport: transport);
        using var stalls = new Stalls();
        var watch = Stopwatch.StartNew();

        var sends = Enumerable.Range(0, 1000).Select(i => sending.SendAsync($"topic-{i}", $"{i}").AsTask()).ToList();
        await Sending.Until(() => clients.Last.Taken.Count == 1000, "all to be taken");

        watch.Elapsed.Should().BeGreaterThan(TimeSpan.FromSeconds(0.9)).And.BeLessThan(TimeSpan.FromSeconds(3) + stalls.Allowance);
        clients.Last.Report(1000);
        await Task.WhenAll(sends).WaitAsync(Sending.Timeout);
    }

    [Fact, Trait("Promise", "S6")]
    public async Task A_topic_that_was_missing_is_asked_for_again_when_it_takes_messages()
    {
        var broker = new Answers();
        var clients = new ScriptedClients { Limits = broker.AnswerAsync };
        using var loggers = new Queues();
        await using var transport = new FakeTransport();
        await using var sending = await Sending.ConnectAsync(clients, transport: transport, loggers: loggers);
        // Missing when it was asked for.
        broker.Tell("t", null, ErrorCode.UnknownTopicOrPart);
        var first = sending.SendAsync("t", "first").AsTask();
        await Sending.Until(() => clients.Last.Taken.Count == 1, "the first to be taken");
        broker.Forget("t");
        clients.Last.Report();
        await first.WaitAsync(Sending.Timeout);
        await Sending.Until(() => broker.Asked.Count == 2, "the second question");

        var more = Enumerable.Range(0, 3).Select(i => sending.SendAsync("t", $"{i}".PadRight(700)).AsTask()).ToList();
        clients.Last.Taken.Should().HaveCount(4, "the second question holds nobody");
        broker.Tell("t", 1000);
        await Sending.Until(() => loggers.Written.Any(queue => queue.Contains("takes batches of at most 1000 bytes")), "the answer");
        clients.Last.Report(3);
        await Task.WhenAll(more).WaitAsync(Sending.Timeout);

        var held = Enumerable.Range(0, 3).Select(i => sending.SendAsync("t", $"{i}".PadRight(700)).AsTask()).ToList();
        clients.Last.Taken.Should().HaveCount(5, "now the limit is known, and only one fits");
        for (var i = 0; i < 3; i++)
        {
            await Sending.Until(() => clients.Last.Taken.Count == 5 + i, "the next to be taken");
            clients.Last.Report();
        }

        await Task.WhenAll(held).WaitAsync(Sending.Timeout);
    }

    [Fact, Trait("Promise", "S6")]
    public async Task A_limit_that_was_lowered_and_is_raised_again_lets_many_go_together_within_seconds_and_says_so()
    {
        var broker = new Answers();
        var clients = new ScriptedClients { Limits = broker.AnswerAsync };
        var time = new SteppedTime();
        using var loggers = new Queues();
        await using var transport = new FakeTransport();
        await using var sending = await Sending.ConnectAsync(clients, time: time, transport: transport, loggers: loggers);
        var taken = clients.Last.Taken;
        broker.Tell("t", 2_000_000);
        await SendAsync(count: 1, together: 1);

        // Lowered: the batch is refused, and goes again one message at a time.
        broker.Forget("t");
        broker.Tell("t", 1000);
        var refused = Many(3);
        await Sending.Until(() => taken.Count == 4, "all to be taken");
        clients.Last.Report(3, ErrorCode.MsgSizeTooLarge, PersistenceStatus.NotPersisted);
        for (var i = 0; i < 3; i++)
        {
            await Sending.Until(() => taken.Count == 5 + i, "the next to be taken");
            clients.Last.Report();
        }

        await Task.WhenAll(refused).WaitAsync(Sending.Timeout);

        // Raised again, and noticed at the first delivery behind the wait.
        broker.Forget("t");
        broker.Tell("t", 2_000_000);
        await SendAsync(count: 1, together: 1);
        broker.Asked.Should().HaveCount(2, "not asked per send");
        time.Step(TimeSpan.FromSeconds(3));
        await SendAsync(count: 1, together: 1);
        await Sending.Until(() => loggers.Written.Any(queue => queue.Contains("takes batches of up to 2000000 bytes again")), "the limit to be raised");
        await SendAsync(count: 3, together: 3);

        List<Task<SendResult>> Many(int count) => [.. Enumerable.Range(0, count).Select(i => sending.SendAsync("t", $"{i}".PadRight(700)).AsTask())];

        async Task SendAsync(int count, int together)
        {
            var before = taken.Count;
            var sends = Many(count);
            await Sending.Until(() => taken.Count == before + together, $"{together} to be taken together");
            clients.Last.Report(together);
            await Task.WhenAll(sends).WaitAsync(Sending.Timeout);
        }
    }

    [Fact, Trait("Promise", "S6")]
    public async Task A_limit_that_does_not_hold_what_the_broker_tells_is_tried_ever_more_rarely()
    {
        var broker = new Answers { Default = 2_000_000 };
        var clients = new ScriptedClients { Limits = broker.AnswerAsync };
        var time = new SteppedTime();
        using var loggers = new Queues();
        await using var transport = new FakeTransport();
        await using var sending = await Sending.ConnectAsync(clients, time: time, transport: transport, loggers: loggers);
        var taken = clients.Last.Taken;
        await OneAsync();
        var rounds = 0;
        foreach (var wait in (double[])[3, 6, 12])
        {
            // Together, then together within what the broker tells, then one at a time.
            var before = taken.Count;
            var sends = Enumerable.Range(0, 2).Select(i => sending.SendAsync("t", $"{i}".PadRight(700)).AsTask()).ToList();
            foreach (var (count, code) in ((int, ErrorCode)[])[
                (2, ErrorCode.MsgSizeTooLarge), (2, ErrorCode.MsgSizeTooLarge), (1, ErrorCode.NoError), (1, ErrorCode.NoError)])
            {
                before += count;
                await Sending.Until(() => taken.Count == before, $"{count} to be taken");
                clients.Last.Report(count, code, code == ErrorCode.NoError ? PersistenceStatus.Persisted : PersistenceStatus.NotPersisted);
            }

            await Task.WhenAll(sends).WaitAsync(Sending.Timeout);
            var asked = broker.Asked.Count;
            time.Step(TimeSpan.FromSeconds(wait - 0.5));
            await OneAsync();
            broker.Asked.Should().HaveCount(asked, "it is not {0} s yet", wait);
            time.Step(TimeSpan.FromSeconds(0.5));
            await OneAsync();
            rounds++;
            await Sending.Until(() => broker.Asked.Count == asked + 1, $"asked after {wait} s");
            await Sending.Until(() => loggers.Written.Count(queue => queue.Contains("bytes again")) == rounds, "tried");
        }

        async Task OneAsync()
        {
            var count = taken.Count;
            var send = sending.SendAsync("t", "one").AsTask();
            await Sending.Until(() => taken.Count == count + 1, "it to be taken");
            clients.Last.Report();
            await send.WaitAsync(Sending.Timeout);
        }
    }

    /// <summary>A clock whose timestamps stand still but for the steps that a test makes; its timers run.</summary>
    private sealed class SteppedTime : TimeProvider
    {
        private long _now = 1;

        public void Step(TimeSpan by) => Interlocked.Add(ref _now, (long)(by.TotalSeconds * TimestampFrequency));

        public override long GetTimestamp() => Interlocked.Read(ref _now);
    }

    /// <summary>A broker that tells what it was told to; what it was not told it thinks about.</summary>
    private sealed class Answers
    {
        private readonly ConcurrentDictionary<string, TaskCompletionSource<LimitAnswer>> _limits = new();
        private int _questions;

        public ConcurrentQueue<string> Asked { get; } = new();

        /// <summary>0: thinks.</summary>
        public int? Default { get; init; } = 0;

        public int MostAtOnce { get; private set; }

        public int MostQuestionsAtOnce { get; private set; }

        public void Tell(string topic, int? bytes, ErrorCode reason = ErrorCode.NoError) => Of(topic).SetResult(new LimitAnswer(bytes, reason));

        public void Forget(string topic) => _limits.TryRemove(topic, out _);

        public async Task<IReadOnlyList<LimitAnswer>> AnswerAsync(IReadOnlyList<string> topics)
        {
            MostQuestionsAtOnce = Math.Max(MostQuestionsAtOnce, Interlocked.Increment(ref _questions));
            MostAtOnce = Math.Max(MostAtOnce, topics.Count);
            await Task.Yield();
            var answers = new List<LimitAnswer>();
            foreach (var topic in topics)
            {
                Asked.Enqueue(topic);
                answers.Add(Default is 0 ? await Of(topic).Task
                    : new LimitAnswer(Default, Default is null ? ErrorCode.TopicAuthorizationFailed : ErrorCode.NoError));
            }

            Interlocked.Decrement(ref _questions);
            return answers;
        }

        private TaskCompletionSource<LimitAnswer> Of(string topic) => _limits.GetOrAdd(topic, _ => new(TaskCreationOptions.RunContinuationsAsynchronously));
    }
}
