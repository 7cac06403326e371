using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using Confluent.Kafka;
using Narad.Kafka.Shared;
using Narad.Kafka.Tests.Consuming;
using Narad.Kafka.Tests.Service;

namespace Narad.Kafka.Tests.Failures;

/// <summary>What fails comes back through the retry topic, when it is due, to the group that it failed in, and holds up nothing meanwhile.</summary>
public abstract class RetryTopicContract<TBroker>(TBroker broker) : IClassFixture<TBroker>
    where TBroker : TestBroker
{
    private const int RetryScheduled = 3018;
    private const int Moved = 3015;
    private const int CouldNotBeMoved = 3016;
    private const int CouldNotBeMovedAgain = 3005;
    private const int LeftAlone = 3070;

    private static readonly Backoff Quick = Backoff.Exponential(TimeSpan.FromMilliseconds(150));

    [SkippableTheory]
    [Trait("Promise", "S19")]
    [InlineData(KafkaGroupProtocol.Classic)]
    [InlineData(KafkaGroupProtocol.Consumer)]
    public async Task A_message_that_always_fails_is_invoked_exactly_as_often_as_the_policy_says_and_then_a_dead_letter(KafkaGroupProtocol protocol)
    {
        var (topic, group) = (await broker.CreateTopicAsync(2), broker.NewGroup());
        await broker.SendAsync(topic, 1, [("k", "poison"), ("k", "good")]);
        var invocations = new ConcurrentQueue<(int Retry, int Attempt, string Topic, TopicPartitionOffsetId Original, DateTimeOffset At)>();
        var handled = new ConcurrentQueue<string>();
        using var logs = new LogEvents();
        using var stalls = new Stalls();
        await using var kafka = await StartAsync(group, logs, options => options.GroupProtocol = protocol);
        await kafka.SubscribeAsync<string>(
            topic,
            (message, context, _) =>
            {
                if (message == "good")
                {
                    handled.Enqueue(message);
                    return Task.CompletedTask;
                }

                invocations.Enqueue((context.Retry, context.Attempt, context.Topic, context.Original, DateTimeOffset.UtcNow));
                throw new TimeoutException("always");
            },
            configure: static s =>
            {
                s.Retry.InMemory.MaxAttempts = 1;
                s.Retry.Topic.MaxAttempts = 3;
                s.Retry.Topic.DelayGenerator = Quick.Before;
                s.DeadLetter.Enabled = true;
            });

        await Waiting.Until(() => logs.Count(Moved) == 1, "it is a dead letter");
        await broker.CommittedReaches(group, topic, 1, 2);
        await broker.CommittedReaches($"{group}-retry", $"{topic}-retry", 1, 3);

        handled.Should().ContainSingle("the message behind it was not held up");
        invocations.Select(one => (one.Retry, one.Attempt)).Should().Equal((0, 1), (0, 2), (1, 1), (1, 2), (2, 1), (2, 2), (3, 1), (3, 2));
        invocations.Select(one => one.Topic).Distinct(StringComparer.Ordinal).Should().Equal(topic, $"{topic}-retry");
        invocations.Select(one => (one.Original.Topic, one.Original.Partition, one.Original.Offset)).Distinct().Should().Equal((topic, 1, 0L));
        var copies = broker.ReadAll($"{topic}-retry", 3);
        copies.Select(copy => (Text(copy, "retry"), copy.Partition.Value)).Should().Equal(("1", 1), ("2", 1), ("3", 1));
        foreach (var copy in copies)
        {
            var round = int.Parse(Text(copy, "retry"), CultureInfo.InvariantCulture);
            var due = DateTimeOffset.FromUnixTimeMilliseconds(long.Parse(Text(copy, "narad-due"), CultureInfo.InvariantCulture));
            var (failed, again) = (invocations.Last(one => one.Retry == round - 1).At, invocations.First(one => one.Retry == round).At);
            (due - failed).Should().BeGreaterThanOrEqualTo(Quick.Before(round))
                .And.BeLessThan(Quick.Before(round) + TimeSpan.FromSeconds(1) + stalls.Allowance);
            again.Should().BeOnOrAfter(due, "never early").And.BeBefore(due + TimeSpan.FromSeconds(1) + stalls.Allowance, "and at most a second late");
        }

        var deadLetters = broker.ReadAll($"{topic}-dlt", 1).Single();
        (Text(deadLetters, "retry"), Text(deadLetters, "narad-offset"), Text(deadLetters, "narad-group"), deadLetters.Partition.Value).Should()
            .Be(("3", "0", group, 1));
        logs.All.Where(one => one.Id is RetryScheduled).Select(one => one.Message[..18]).Should()
            .Equal("Retry scheduled #1", "Retry scheduled #2", "Retry scheduled #3");
        logs.The(Moved).Message.Should().StartWith("Moved to DLQ");
    }

    [SkippableFact]
    [Trait("Promise", "S21")]
    public async Task A_message_due_in_a_second_passes_one_due_in_an_hour()
    {
        var (topic, group) = (await broker.CreateTopicAsync(1), broker.NewGroup());
        await broker.SendAsync(topic, 0, [("k0", "hour")]);
        var again = new ConcurrentQueue<(string Message, DateTimeOffset At)>();
        var failed = new ConcurrentQueue<DateTimeOffset>();
        using var stalls = new Stalls();
        await using var kafka = await StartAsync(group);
        await kafka.SubscribeAsync<string>(
            topic,
            (message, context, _) =>
            {
                if (context.Retry > 0)
                {
                    again.Enqueue((message, DateTimeOffset.UtcNow));
                    return Task.CompletedTask;
                }

                failed.Enqueue(DateTimeOffset.UtcNow);
                throw new RetryLaterException(message == "hour" ? TimeSpan.FromHours(1) : TimeSpan.FromSeconds(1));
            },
            configure: static s => s.Retry.Topic.MaxAttempts = 3);
        await Waiting.Until(() => RetryLoop(kafka).WaitingRetries == 1, "the first record of the retry topic is due in an hour");
        await broker.SendAsync(topic, 0, Enumerable.Range(1, 59).Select(n => ((string?)$"k{n}", n % 2 == 0 ? "hour" : "second")));

        await Waiting.Until(() => again.Count == 30, "those due in a second are handled");

        again.Select(one => one.Message).Distinct(StringComparer.Ordinal).Should().Equal("second");
        again.Max(one => one.At).Should().BeBefore(failed.Max() + TimeSpan.FromSeconds(2.2) + stalls.Allowance);
        await Waiting.Until(() => RetryLoop(kafka).WaitingRetries == 30, "the others wait");
        await Waiting.Until(() => RetryLoop(kafka).BufferedMessages == 0, "what waits is not in memory");
        broker.Committed($"{group}-retry", $"{topic}-retry", 0).Should().BeLessThan(1, "what waits is not committed past");
    }

    [SkippableFact]
    [Trait("Promise", "S22")]
    public async Task Two_groups_on_one_topic_never_handle_each_others_retries()
    {
        var topic = await broker.CreateTopicAsync(2);
        var groups = new[] { broker.NewGroup(), broker.NewGroup() };
        await broker.SendAsync(topic, 0, 20);
        await broker.SendAsync(topic, 1, 20, from: 20);
        var retried = new ConcurrentQueue<(string Group, string Message, string Context)>();
        await using var one = await StartAsync(groups[0]);
        await using var two = await StartAsync(groups[1]);
        for (var i = 0; i < 2; i++)
        {
            var group = groups[i];
            await new[] { one, two }[i].SubscribeAsync<string>(
                topic,
                (message, context, _) =>
                {
                    if (context.Retry == 0)
                    {
                        throw new TimeoutException();
                    }

                    retried.Enqueue((group, message, context.Group));
                    return Task.CompletedTask;
                },
                configure: static s => { s.Retry.Topic.MaxAttempts = 3; s.Retry.Topic.DelayGenerator = Quick.Before; });
        }

        foreach (var group in groups)
        {
            await Waiting.Until(
                () => broker.Committed($"{group}-retry", $"{topic}-retry", 0) + broker.Committed($"{group}-retry", $"{topic}-retry", 1) == 80,
                    $"group {group} went over all retries, the other's too");
        }

        retried.Should().HaveCount(80).And.OnlyContain(item => item.Group == item.Context);
        retried.Select(item => (item.Group, item.Message)).Should().OnlyHaveUniqueItems();
    }

    [SkippableTheory]
    [Trait("Promise", "S22")]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_retry_that_names_no_group_is_left_alone_and_said_once_unless_a_group_adopts_it(bool adopts)
    {
        var (topic, group) = (await broker.CreateTopicAsync(1), broker.NewGroup());
        var handled = new ConcurrentQueue<(string Message, int Retry)>();
        using var logs = new LogEvents();
        await using var kafka = await StartAsync(group, logs);
        await kafka.SubscribeAsync<string>(
            topic,
            (message, context, _) =>
            {
                handled.Enqueue((message, context.Retry));
                return Task.CompletedTask;
            },
            configure: s => (s.Retry.Topic.MaxAttempts, s.Retry.Topic.AdoptRecordsWithoutGroup) = (3, adopts));

        await broker.SendRawAsync($"{topic}-retry", 0,
            new Message<byte[]?, byte[]?> { Value = "foreign"u8.ToArray(), Headers = new Headers { { "retry", "2"u8.ToArray() } } });
        await broker.SendRawAsync($"{topic}-retry", 0, new Message<byte[]?, byte[]?> { Value = "bare"u8.ToArray() });

        await broker.CommittedReaches($"{group}-retry", $"{topic}-retry", 0, 2);
        handled.Should().BeEquivalentTo(adopts ? new[] { ("foreign", 2), ("bare", 1) } : []);
        logs.Count(LeftAlone).Should().Be(adopts ? 0 : 1);
        kafka.Groups.Sum(one => one.Metrics.Ungrouped).Should().Be(adopts ? 0 : 2);
    }

    [SkippableFact]
    [Trait("Promise", "S20")]
    public async Task While_the_retry_copy_cannot_be_published_a_message_stays_unfinished()
    {
        var (topic, group) = (await broker.CreateTopicAsync(1), broker.NewGroup());
        var (retries, deadLetters) = (await broker.CreateTopicAsync(1), await broker.CreateTopicAsync(1));
        var handled = new ConcurrentQueue<string>();
        var refused = new TaskCompletionSource();
        using var logs = new LogEvents();
        // Whether the client notices first that the topic is gone, or gives up, is chance.
        await using var kafka = await StartAsync(group, logs, static options =>
            (options.TopicCreation, options.SendTimeout) = (TopicCreation.None, TimeSpan.FromSeconds(5)));
        await kafka.SubscribeAsync<string>(
            topic,
            async (message, context, _) =>
            {
                if (message == "bad" && context.Retry == 0)
                {
                    await refused.Task;
                    throw new TimeoutException();
                }

                handled.Enqueue(message);
            },
            configure: s =>
            {
                s.Retry.Topic.MaxAttempts = 3;
                s.Retry.Topic.DelayGenerator = Quick.Before;
                s.Retry.Topic.Name = retries;
                s.DeadLetter.Enabled = true;
                s.DeadLetter.TopicName = deadLetters;
            });
        await broker.SendAsync(topic, 0, [("a", "bad"), ("a", "behind"), ("b", "other")]);
        await Waiting.Until(() => handled.Contains("other"), "another key continued");

        var allowWrites = await broker.RefuseWritesAsync(retries);
        refused.SetResult();
        await Waiting.Until(() => logs.Count(CouldNotBeMoved) == 1
            && logs.Count(CouldNotBeMovedAgain) >= 1, "publishing is tried again", TimeSpan.FromSeconds(90));
        handled.Should().Equal("other");
        broker.Committed(group, topic, 0).Should().BeLessThan(1);

        await allowWrites();
        await Waiting.Until(() => handled.Count == 3, "it was retried and what was behind it handled", TimeSpan.FromSeconds(90));
        await broker.CommittedReaches(group, topic, 0, 3);
        handled.Should().BeEquivalentTo("other", "bad", "behind");
    }

    [SkippableFact]
    [Trait("Promise", "S21")]
    public async Task What_waits_survives_restarts_unchanged_and_what_was_finished_behind_it_is_not_handled_again()
    {
        var (topic, group) = (await broker.CreateTopicAsync(1), broker.NewGroup());
        await broker.SendAsync(topic, 0, Enumerable.Range(0, 40).Select(n => ((string?)$"k{n}", n < 10 ? $"late{n}" : $"soon{n}")));
        var invocations = new ConcurrentQueue<(string Message, int Retry)>();
        DateTimeOffset due = default;
        for (var run = 0; run < 3; run++)
        {
            await using var kafka = await StartAsync(group);
            await kafka.SubscribeAsync<string>(
                topic,
                (message, context, _) =>
                {
                    invocations.Enqueue((message, context.Retry));
                    due = due == default ? DateTimeOffset.UtcNow.AddSeconds(20) : due;
                    return context.Retry > 0 ? Task.CompletedTask
                        : throw new RetryLaterException(message[0] == 'l' ? due - DateTimeOffset.UtcNow : TimeSpan.FromMilliseconds(100));
                },
                configure: static s => s.Retry.Topic.MaxAttempts = 3);
            await Waiting.Until(() => invocations.Count >= 70 && RetryLoop(kafka).WaitingRetries == 10, $"run {run}: all are handled but the ten that wait");
        }

        await using var last = await StartAsync(group);
        await last.SubscribeAsync<string>(
            topic,
            (message, context, _) =>
            {
                DateTimeOffset.UtcNow.Should().BeOnOrAfter(due.AddMilliseconds(-50));
                invocations.Enqueue((message, context.Retry));
                return Task.CompletedTask;
            },
            configure: static s => s.Retry.Topic.MaxAttempts = 3);
        await Waiting.Until(() => invocations.Count >= 80, "the ten came when they were due", TimeSpan.FromSeconds(60));

        invocations.Should().OnlyHaveUniqueItems("each was invoked once and retried once, across three restarts").And.HaveCount(80);
    }

    [SkippableFact]
    [Trait("Promise", "S21")]
    public async Task Beyond_MaxUncommittedMessages_the_oldest_waiting_copies_are_republished_at_the_end_and_nothing_is_early_lost_or_doubled()
    {
        var (topic, group) = (await broker.CreateTopicAsync(1), broker.NewGroup());
        await broker.SendAsync(topic, 0, 300);
        var again = new ConcurrentQueue<(string Message, int Retry, DateTimeOffset At)>();
        var dues = new ConcurrentDictionary<string, DateTimeOffset>(StringComparer.Ordinal);
        await using var kafka = await StartAsync(group, configure: static options => options.MaxUncommittedMessages = 50);
        await kafka.SubscribeAsync<string>(
            topic,
            (message, context, _) =>
            {
                if (context.Retry > 0)
                {
                    again.Enqueue((message, context.Retry, DateTimeOffset.UtcNow));
                    return Task.CompletedTask;
                }

                dues[message] = DateTimeOffset.UtcNow.AddSeconds(6);
                throw new RetryLaterException(TimeSpan.FromSeconds(6));
            },
            configure: static s => s.Retry.Topic.MaxAttempts = 3);

        await Waiting.Until(() => again.Count >= 300, "all were handled again", TimeSpan.FromSeconds(60));

        again.Select(one => one.Message).Should().OnlyHaveUniqueItems();
        again.Should().OnlyContain(one => one.Retry == 1 && one.At >= dues[one.Message].AddMilliseconds(-5));
        kafka.Groups.Sum(one => one.Metrics.Republishes).Should().BeGreaterThanOrEqualTo(40);
        var copies = broker.ReadAll($"{topic}-retry", 300);
        copies.Max(copy => copy.Message.Headers.Count).Should().Be(copies.Min(copy => copy.Message.Headers.Count), "republishing adds nothing");
    }

    [SkippableTheory]
    [Trait("Promise", "S21")]
    [InlineData(-1)]
    [InlineData(1)]
    public async Task A_clock_that_jumps_an_hour_makes_nothing_early_and_a_second_late_at_most_once_it_is_right(int hours)
    {
        var (topic, group) = (await broker.CreateTopicAsync(1), broker.NewGroup());
        await broker.SendAsync(topic, 0, [("a", "x")]);
        var clock = new JumpingClock();
        var again = new ConcurrentQueue<DateTimeOffset>();
        DateTimeOffset due = default;
        using var stalls = new Stalls();
        await using var kafka = await StartAsync(group, time: clock);
        await kafka.SubscribeAsync<string>(
            topic,
            (_, context, _) =>
            {
                if (context.Retry > 0)
                {
                    again.Enqueue(clock.GetUtcNow());
                    return Task.CompletedTask;
                }

                due = clock.GetUtcNow().AddHours(1).AddSeconds(2);
                throw new RetryLaterException(TimeSpan.FromHours(1) + TimeSpan.FromSeconds(2));
            },
            configure: static s => s.Retry.Topic.MaxAttempts = 3);
        await Waiting.Until(() => RetryLoop(kafka).WaitingRetries == 1, "it waits");

        clock.Ahead = TimeSpan.FromHours(hours);
        var jumped = DateTimeOffset.UtcNow;
        if (hours < 0)
        {
            // An hour back: it waits on, and the clock is put right.
            await Waiting.Until(() => DateTimeOffset.UtcNow - jumped > TimeSpan.FromSeconds(3), "it waits on");
            again.Should().BeEmpty();
            clock.Ahead = TimeSpan.FromHours(1) + TimeSpan.FromSeconds(1);
        }

        await Waiting.Until(() => !again.IsEmpty, "it is handled");
        again.Single().Should().BeOnOrAfter(due, "never early").And.BeBefore(due.AddSeconds(hours < 0 ? 4 : 3) + stalls.Allowance);
    }

    [SkippableFact]
    [Trait("Promise", "S21")]
    public async Task A_failure_while_the_clock_is_ahead_waits_its_delay_and_no_longer_once_the_clock_is_right()
    {
        var (topic, group) = (await broker.CreateTopicAsync(1), broker.NewGroup());
        await broker.SendAsync(topic, 0, [("a", "x")]);
        var clock = new JumpingClock { Ahead = TimeSpan.FromHours(1) };
        var failed = new TaskCompletionSource<long>();
        var again = new TaskCompletionSource<TimeSpan>();
        using var stalls = new Stalls();
        await using var kafka = await StartAsync(group, time: clock);
        await kafka.SubscribeAsync<string>(
            topic,
            async (_, context, _) =>
            {
                if (context.Retry > 0)
                {
                    again.TrySetResult(TimeProvider.System.GetElapsedTime(await failed.Task));
                    return;
                }

                failed.TrySetResult(TimeProvider.System.GetTimestamp());
                throw new RetryLaterException(TimeSpan.FromSeconds(4));
            },
            configure: static s => s.Retry.Topic.MaxAttempts = 3);
        await Waiting.Until(() => RetryLoop(kafka).WaitingRetries == 1, "it waits");
        clock.Ahead = TimeSpan.Zero;

        var waited = await again.Task.WaitAsync(TimeSpan.FromSeconds(60));
        waited.Should().BeGreaterThanOrEqualTo(TimeSpan.FromSeconds(4), "never early").And.BeLessThan(TimeSpan.FromSeconds(7) + stalls.Allowance);
    }

    [SkippableFact]
    [Trait("Promise", "S23")]
    public async Task Forged_retries_neither_stall_nor_skip_nor_loop()
    {
        var (topic, group) = (await broker.CreateTopicAsync(1), broker.NewGroup());
        var handled = new ConcurrentQueue<(string Message, int Retry)>();
        await using var kafka = await StartAsync(group);
        await kafka.SubscribeAsync<string>(
            topic,
            (message, context, _) =>
            {
                handled.Enqueue((message, context.Retry));
                return message == "ok" ? Task.CompletedTask : throw new TimeoutException();
            },
            configure: static s =>
            {
                s.Retry.Topic.MaxAttempts = 2;
                s.Retry.Topic.Delay = TimeSpan.FromMilliseconds(50);
                s.Retry.Topic.BackoffType = DelayBackoffType.Constant;
                s.Retry.Topic.MaxDelay = TimeSpan.FromMilliseconds(50);
            });
        var name = Encoding.UTF8.GetBytes(group);
        string[] attempts = ["-9223372036854775808", "-1", "999999999999999999999999", "2147483648", "two", "", "\u0662", "1e3", "0"];
        foreach (var attempt in attempts)
        {
            await broker.SendRawAsync($"{topic}-retry", 0, new Message<byte[]?, byte[]?>
            {
                Value = Encoding.UTF8.GetBytes($"forged {attempt}"),
                Headers = new Headers
                {
                    { "retry", "1"u8.ToArray() }, { "narad-topic", [0xFF, 0xFE] }, { "narad-partition", "-5"u8.ToArray() }, { "narad-offset", [] },
                        { "narad-timestamp", null },
                    { "narad-group", "someone"u8.ToArray() }, { "narad-group", name }, { "retry", Encoding.UTF8.GetBytes(attempt) },
                        { "narad-due", "-1"u8.ToArray() }, { "narad-exception-type", [0xC3, 0x28] },
                },
            });
        }

        await Waiting.Until(() => kafka.Groups.Sum(one => one.Metrics.DeadLetters) == attempts.Length, "each is a dead letter");
        handled.Should().OnlyContain(one => one.Retry >= 0 && one.Retry <= 2);
        handled.GroupBy(one => one.Message, StringComparer.Ordinal).Should().OnlyContain(one => one.Count() <= 3, "none loops");
        broker.ReadAll($"{topic}-dlt", attempts.Length).Should().HaveCount(attempts.Length);

        // Stamped and due in the year 9999: believed for two hours and the longest delay, so it waits, and blocks nothing.
        await broker.SendRawAsync($"{topic}-retry", 0, new Message<byte[]?, byte[]?>
        {
            Value = "year 9999"u8.ToArray(),
            Timestamp = new Timestamp(DateTimeOffset.UtcNow),
            Headers = new Headers { { "narad-group", name }, { "narad-due", "253402300799999"u8.ToArray() } },
        });
        await broker.SendRawAsync($"{topic}-retry", 0,
            new Message<byte[]?, byte[]?> { Value = "ok"u8.ToArray(), Headers = new Headers { { "narad-group", name }, { "narad-due", [0xFF] } } });
        await Waiting.Until(() => handled.Any(one => one.Message == "ok"), "what is behind it is handled");
        await Waiting.Until(() => RetryLoop(kafka).WaitingRetries == 1, "it waits");
        kafka.Groups.Min(one => one.Loop!.NextRetryDue).Should().BeLessThan(DateTimeOffset.UtcNow.AddHours(2.1).ToUnixTimeMilliseconds());
    }

    [SkippableFact]
    [Trait("Promise", "S8")]
    public async Task An_order_asked_for_by_name_and_a_retry_topic_are_refused_together_unless_reordering_is_allowed()
    {
        var (topic, group) = (await broker.CreateTopicAsync(1), broker.NewGroup());
        using var logs = new LogEvents();
        await using var kafka = await StartAsync(group, logs);
        Task Subscribe(Action<SubscriptionOptions> configure) =>
            kafka.SubscribeAsync<string>(topic, static (_, _, _) => Task.CompletedTask, configure: configure);

        var byKey = () => Subscribe(static s => { s.Order = MessageOrder.ByKey; s.Retry.Topic.MaxAttempts = 3; });
        (await byKey.Should().ThrowAsync<KafkaConfigurationException>()).WithMessage("*Order = ByKey*AllowReorder = true*");
        var byPartition = () => Subscribe(static s => { s.Retry.Topic.MaxAttempts = 3; s.Order = MessageOrder.ByPartition; });
        await byPartition.Should().ThrowAsync<KafkaConfigurationException>();
        kafka.Subscriptions.Should().BeEmpty();
        logs.Count(3073).Should().Be(0);

        await Subscribe(static s => { s.Order = MessageOrder.ByKey; s.Retry.Topic.MaxAttempts = 3; s.Retry.AllowReorder = true; });
        logs.Count(3073).Should().Be(0);
        await kafka.Subscriptions[0].StopAsync();
        await Subscribe(static s => s.Retry.Topic.MaxAttempts = 3);
        logs.Count(3073).Should().Be(1, "where by key is only the default, that it ends there is said");
    }

    [SkippableFact]
    [Trait("Promise", "S22")]
    public async Task A_pattern_reads_neither_its_own_dead_letters_nor_its_own_retries_and_retries_each_topic()
    {
        var group = broker.NewGroup();
        var first = await broker.CreateTopicAsync(2);
        var handled = new ConcurrentQueue<(string Topic, string Message, int Retry)>();
        await using var kafka = await StartAsync(group);
        var subscription = await kafka.SubscribeAsync<string>(
            $"^{first}.*",
            (message, context, _) =>
            {
                handled.Enqueue((context.Topic, message, context.Retry));
                throw new TimeoutException();
            },
            configure: static s => { s.Retry.Topic.MaxAttempts = 1; s.Retry.Topic.DelayGenerator = Quick.Before; s.DeadLetter.Enabled = true; });
        await Waiting.Until(() => subscription.RetrySubscriptions.Count == 1
            && subscription.RetrySubscriptions[0].State is SubscriptionState.Running, "its retry topic is read");
        await broker.SendAsync(first, 1, [("k", "m")]);
        await Waiting.Until(() => kafka.Groups.Sum(one => one.Metrics.DeadLetters) == 1, "it is a dead letter");

        // Long enough for the pattern to find what was created meanwhile.
        await broker.SendAsync(first, 0, [("k", "n")]);
        await Waiting.Until(() => kafka.Groups.Sum(one => one.Metrics.DeadLetters) == 2, "the next one too");
        var until = DateTime.UtcNow.AddSeconds(6);
        await Waiting.Until(() => DateTime.UtcNow > until, "the pattern was matched again");

        handled.Should().BeEquivalentTo([(first, "m", 0), ($"{first}-retry", "m", 1), (first, "n", 0), ($"{first}-retry", "n", 1)]);
        subscription.Assignment.Select(partition => partition.Topic).Distinct(StringComparer.Ordinal).Should().Equal(first);
        broker.Committed(group, $"{first}-dlt", 0).Should().Be(-1);
    }

    [SkippableTheory]
    [Trait("Promise", "S25")]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_redriven_dead_letter_is_handled_again_by_the_group_that_failed_with_all_its_attempts(bool hasRetryTopic)
    {
        var (topic, group, other) = (await broker.CreateTopicAsync(2), broker.NewGroup(), broker.NewGroup());
        await broker.SendAsync(topic, 1, [("k", "m")]);
        var repaired = false;
        var invocations = new ConcurrentQueue<(string Group, string Topic, int Retry, TopicPartitionOffsetId Original)>();
        await using var kafka = await StartAsync(group);
        await kafka.ConnectConsumerAsync(other);
        foreach (var one in (string[])[group, other])
        {
            await kafka.SubscribeAsync<string>(
                topic,
                (_, context, _) =>
                {
                    invocations.Enqueue((one, context.Topic, context.Retry, context.Original));
                    return one == other || (repaired && context.Retry > 0) || (repaired && !hasRetryTopic) ? Task.CompletedTask : throw new TimeoutException();
                },
                group: one,
                configure: s => (s.Retry.Topic.MaxAttempts, s.Retry.Topic.DelayGenerator, s.DeadLetter.Enabled) = (hasRetryTopic ? 1
                    : 0, Quick.Before, !hasRetryTopic));
        }

        await Waiting.Until(() => kafka.Groups.Sum(x => x.Metrics.DeadLetters) == 1
            && invocations.Count(x => x.Group == other) == 1, "it is a dead letter of one group");
        invocations.Clear();
        Volatile.Write(ref repaired, true);

        var report = await kafka.DeadLetters.RedriveAsync($"{topic}-dlt");

        report.Sent.Should().Be(1);
        var expected = hasRetryTopic ? new[] { 0, 1 } : [0];
        await Waiting.Until(() => invocations.Count >= expected.Length, "it is handled again");
        await broker.CommittedReaches($"{group}-retry", $"{topic}-retry", 1, hasRetryTopic ? 3 : 1);
        invocations.Select(x => (x.Group, x.Topic, x.Retry)).Should()
            .Equal(expected.Select(retry => (group, $"{topic}-retry", retry)), "all its attempts are before it again");
        invocations.Select(x => (x.Original.Topic, x.Original.Partition, x.Original.Offset)).Distinct().Should().Equal((topic, 1, 0L));
        kafka.Groups.Sum(x => x.Metrics.DeadLetters).Should().Be(1);
    }

    [SkippableFact]
    [Trait("Promise", "S33")]
    public async Task An_outage_during_a_retry_holds_the_topic_and_its_retries_and_dead_letters_nothing_more()
    {
        var (topic, group) = (await broker.CreateTopicAsync(2), broker.NewGroup());
        await broker.SendAsync(topic, 0, 200);
        await broker.SendAsync(topic, 1, 200, from: 200);
        var isDown = true;
        var handled = new ConcurrentDictionary<string, int>(StringComparer.Ordinal);
        await using var kafka = await StartAsync(group);
        var subscription = await kafka.SubscribeAsync<string>(
            topic,
            (message, _, _) =>
            {
                if (Volatile.Read(ref isDown))
                {
                    throw new TimeoutException();
                }

                handled.AddOrUpdate(message, 1, static (_, count) => count + 1);
                return Task.CompletedTask;
            },
            configure: static s =>
            {
                s.Parallelism = 4;
                s.Retry.Topic.MaxAttempts = 2;
                s.Retry.Topic.Delay = TimeSpan.FromMilliseconds(100);
                s.Retry.Topic.BackoffType = DelayBackoffType.Constant;
                s.CircuitBreaker.Enabled = true;
                s.CircuitBreaker.MinimumThroughput = 10;
                s.CircuitBreaker.SamplingDuration = TimeSpan.FromSeconds(10);
                s.CircuitBreaker.BreakDuration = TimeSpan.FromMilliseconds(500);
                s.CircuitBreaker.MaxBreakDuration = TimeSpan.FromSeconds(1);
            });

        await Waiting.Until(() => subscription.CircuitState is not CircuitState.Closed, "the circuit opens");
        var since = DateTime.UtcNow;
        await Waiting.Until(() => DateTime.UtcNow - since > TimeSpan.FromSeconds(4), "the outage continues");
        kafka.Groups.Sum(x => x.Metrics.Retries).Should().BeLessThan(20, "its topic is not emptied into the retry topic");
        kafka.Groups.Sum(x => x.Metrics.DeadLetters).Should().Be(0);
        subscription.RetrySubscriptions.Single().CircuitState.Should().NotBe(CircuitState.Closed, "its retries are held by the same circuit");
        Volatile.Write(ref isDown, false);

        await Waiting.Until(() => handled.Count == 400, "all are handled");
        handled.Values.Should().OnlyContain(count => count == 1);
        kafka.Groups.Sum(x => x.Metrics.DeadLetters).Should().Be(0);
    }

    [SkippableFact]
    [Trait("Promise", "S21")]
    public async Task What_is_due_while_other_partitions_are_given_away_is_handled()
    {
        // In each partition one that waits for an hour, so that it is moved when the partition goes; and more that are due than fit into memory, so that some
        // are read just then.
        const int Partitions = 4;
        const int Each = 150;
        var (topic, group) = (await broker.CreateTopicAsync(Partitions), broker.NewGroup());
        for (var partition = 0; partition < Partitions; partition++)
        {
            await broker.SendAsync(topic, partition, Enumerable.Range(0, Each + 1).Select(n => ((string?)$"k{n}", n == 0 ? "hour" : $"soon {partition} {n}")));
        }

        var handled = new ConcurrentDictionary<string, int>(StringComparer.Ordinal);
        async Task HandleAsync(string message, MessageContext context, CancellationToken cancellationToken)
        {
            if (context.Retry == 0)
            {
                throw new RetryLaterException(message is "hour" ? TimeSpan.FromHours(1) : TimeSpan.FromSeconds(1));
            }

            await Task.Delay(30, cancellationToken);
            handled.AddOrUpdate(message, 1, static (_, count) => count + 1);
        }

        async Task<KafkaService> JoinAsync()
        {
            var member = await StartAsync(group, configure: static options => options.MaxBufferedMessages = 40);
            await member.SubscribeAsync<string>(topic, HandleAsync, configure: static s => { s.Parallelism = 4; s.Retry.Topic.MaxAttempts = 3; });
            return member;
        }

        await using var first = await JoinAsync();
        await Waiting.Until(() => Enumerable.Range(0, Partitions)
            .All(partition => handled.Keys.Any(message => message.StartsWith($"soon {partition}", StringComparison.Ordinal))),
                "some of each partition are handled");
        await using var second = await JoinAsync();

        await Waiting.Until(() => handled.Count == Partitions * Each, "all that were due are handled");
    }

    protected static ConsumedLoop RetryLoop(KafkaService kafka) => new(kafka);

    private protected async Task<KafkaService> StartAsync(string group, LogEvents? logs = null, Action<KafkaOptions>? configure = null,
        TimeProvider? time = null)
    {
        var service = new KafkaService(
            broker.Options(options =>
            {
                options.TopicCreation = TopicCreation.IfMissing;
                configure?.Invoke(options);
            }),
            logs,
            time);
        await service.ConnectConsumerAsync(group);
        return service;
    }

    protected static string Text(ConsumeResult<byte[]?, byte[]?> copy, string header) => Encoding.UTF8.GetString(copy.Message.Headers.GetLastBytes(header));

    /// <summary>What the groups that read retry topics hold.</summary>
    protected readonly record struct ConsumedLoop(KafkaService Kafka)
    {
        public long WaitingRetries => Kafka.Groups.Sum(group => group.Loop?.WaitingRetries ?? 0);

        public long BufferedMessages => Kafka.Groups.Sum(group => group.Loop?.BufferedMessages ?? 0);
    }
}

public sealed class RetryTopicsOnEmbedded(EmbeddedTestBroker broker) : RetryTopicContract<EmbeddedTestBroker>(broker);

public sealed class RetryTopicsOnKafka(KafkaTestBroker broker) : RetryTopicContract<KafkaTestBroker>(broker)
{
    private readonly KafkaTestBroker _broker = broker;

    [SkippableFact]
    [NotInParallel("It measures the memory of the process.")]
    [Trait("Promise", "S13")]
    [Trait("Promise", "S21")]
    public async Task A_million_messages_due_in_an_hour_wait_in_less_than_64_MiB_and_one_due_now_passes_them()
    {
        const int Partitions = 12;
        const int Each = 1_000_000 / Partitions + 1;
        var (topic, group) = (await _broker.CreateTopicAsync(Partitions), _broker.NewGroup());
        var handled = new ConcurrentQueue<string>();
        await using var kafka = await StartAsync(group);
        await kafka.SubscribeAsync<string>(
            topic,
            (message, _, _) =>
            {
                handled.Enqueue(message);
                return Task.CompletedTask;
            },
            configure: static s => s.Retry.Topic.MaxAttempts = 3);
        var before = GC.GetTotalMemory(forceFullCollection: true);
        await WriteAsync($"{topic}-retry", group, Partitions, Each, DateTimeOffset.UtcNow.AddHours(1));

        await Waiting.Until(() => RetryLoop(kafka).WaitingRetries == Each * Partitions, "all of them wait", TimeSpan.FromSeconds(120));
        var held = GC.GetTotalMemory(forceFullCollection: true) - before;
        await WriteAsync($"{topic}-retry", group, Partitions, 1, DateTimeOffset.UtcNow);
        using var stalls = new Stalls();
        var watch = System.Diagnostics.Stopwatch.StartNew();
        await Waiting.Until(() => handled.Count == Partitions, "what is due now passes them", TimeSpan.FromSeconds(10));

        watch.Elapsed.Should().BeLessThan(TimeSpan.FromSeconds(2) + stalls.Allowance);
        held.Should().BeLessThan(64L * 1024 * 1024).And.BeGreaterThan(1024 * 1024, "it measures something");
    }

    private async Task WriteAsync(string topic, string group, int partitions, int each, DateTimeOffset due)
    {
        using var producer = new ProducerBuilder<Null, byte[]>(
            new ProducerConfig { BootstrapServers = _broker.Brokers, LingerMs = 20, QueueBufferingMaxMessages = 200_000,
                CompressionType = CompressionType.Lz4 }).Build();
        var headers = new Headers { { "narad-topic", "t"u8.ToArray() }, { "narad-group", Encoding.UTF8.GetBytes(group) }, { "retry", "1"u8.ToArray() },
            { "narad-due", Encoding.UTF8.GetBytes($"{due.ToUnixTimeMilliseconds()}") } };
        var left = partitions * each;
        var all = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        for (var n = 0; n < partitions * each; n++)
        {
            while (true)
            {
                try
                {
                    producer.Produce(new TopicPartition(topic, n % partitions), new Message<Null, byte[]> { Value = new byte[100], Headers = headers }, _ =>
                    {
                        if (Interlocked.Decrement(ref left) == 0)
                        {
                            all.SetResult();
                        }
                    });
                    break;
                }
                catch (ProduceException<Null, byte[]> full) when (full.Error.Code is ErrorCode.Local_QueueFull)
                {
                    await Task.Delay(20);
                }
            }
        }

        await all.Task.WaitAsync(TimeSpan.FromSeconds(120));
    }
}
