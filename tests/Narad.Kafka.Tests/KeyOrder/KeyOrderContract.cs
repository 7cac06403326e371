using System.Collections.Concurrent;
using System.Globalization;
using Narad.Kafka.Shared;
using Narad.Kafka.Tests.Consuming;
using Narad.Kafka.Tests.Service;

namespace Narad.Kafka.Tests.KeyOrder;

/// <summary>
/// With <c>PreserveKeyOrder</c> later messages of a failing key wait behind it, through retry topics, restarts and rebalances; other keys continue.
/// </summary>
public abstract partial class KeyOrderContract<TBroker>(TBroker broker) : IClassFixture<TBroker>
    where TBroker : TestBroker
{
    private const int Moved = 3015;
    private const int Alone = 3087;

    private static readonly Backoff Quick = Backoff.Exponential(TimeSpan.FromMilliseconds(200));

    [SkippableTheory]
    [Trait("Promise", "S26")]
    [InlineData(KafkaGroupProtocol.Classic)]
    [InlineData(KafkaGroupProtocol.Consumer)]
    public async Task Later_messages_of_a_failing_key_wait_behind_it_and_other_keys_go_on(KafkaGroupProtocol protocol)
    {
        var (topic, group) = (await broker.CreateTopicAsync(2), broker.NewGroup());
        var log = new HandledLog();
        await using var kafka = await StartAsync(group, configure: options => options.GroupProtocol = protocol);
        await SubscribeAsync(kafka, topic, log, (message, context) => message == "a1" && context.Retry < 2);

        await broker.SendAsync(topic, 1, Enumerable.Range(0, 6).SelectMany(n => new[] { ((string?)"a", $"a{n}"), ("b", $"b{n}") }));
        await Waiting.Until(() => log.Count == 12, "all are handled");
        await broker.CommittedReaches(group, topic, 1, 12);
        await Waiting.Until(() => broker.Committed(group, $"{topic}-retry", 1) >= 6, "so is what was copied");

        log.Of("a").Should().Equal("a0", "a1", "a2", "a3", "a4", "a5");
        log.Of("b").Should().Equal("b0", "b1", "b2", "b3", "b4", "b5");
        log.All.Take(7).Where(message => message[0] == 'b').Should().HaveCount(6, "the other key did not wait");
        log.Invocations("a1").Should().Equal((0, 1), (1, 1), (2, 1));
        log.Invocations("a2").Should().Equal([(0, 1)], "what only waited has all its attempts and used none");
    }

    [SkippableFact]
    [Trait("Promise", "S26")]
    public async Task What_waits_waits_on_through_a_restart_and_nothing_is_handled_twice()
    {
        var (topic, group) = (await broker.CreateTopicAsync(1), broker.NewGroup());
        var log = new HandledLog();
        await broker.SendAsync(topic, 0, Enumerable.Range(0, 40).Select(n => ((string?)$"k{n % 4}", $"{n}")));
        Func<string, MessageContext, bool> fails = (message, context) => message is "0" or "5" && context.Retry < 2;
        await using (var first = await StartAsync(group))
        {
            await SubscribeAsync(first, topic, log, fails, Backoff.Fixed(TimeSpan.FromSeconds(2)));
            await Waiting.Until(() => log.Count == 21 && first.Groups.Single().Metrics.BlockedKeyMessages == 17, "the two keys that fail wait");
        }

        await using var second = await StartAsync(group);
        await broker.SendAsync(topic, 0, Enumerable.Range(40, 8).Select(n => ((string?)$"k{n % 4}", $"{n}")));
        await SubscribeAsync(second, topic, log, fails, Backoff.Fixed(TimeSpan.FromSeconds(2)));
        await Waiting.Until(() => log.Count == 48, "all are handled");

        for (var key = 0; key < 4; key++)
        {
            log.Of($"k{key}").Should().Equal(Enumerable.Range(0, 12).Select(n => $"{(n * 4) + key}"), $"key {key}");
        }

        log.Invocations("0").Should().Equal((0, 1), (1, 1), (2, 1));
        log.All.Should().OnlyHaveUniqueItems();
    }

    [SkippableTheory]
    [Trait("Promise", "S26")]
    [InlineData(AfterDeadLetter.Continue)]
    [InlineData(AfterDeadLetter.DeadLetterKey)]
    public async Task After_a_dead_letter_what_waits_goes_on_or_is_dead_lettered_as_was_said(AfterDeadLetter then)
    {
        var (topic, group) = (await broker.CreateTopicAsync(1), broker.NewGroup());
        var log = new HandledLog();
        using var logs = new LogEvents();
        await using var kafka = await StartAsync(group, logs);
        await SubscribeAsync(kafka, topic, log, (message, _) => message == "1", Quick, then, attempts: 1);

        await broker.SendAsync(topic, 0, Enumerable.Range(0, 6).Select(n => ((string?)"k", $"{n}")));
        var dead = then is AfterDeadLetter.Continue ? new[] { "1" } : ["1", "2", "3", "4", "5"];
        await Waiting.Until(() => logs.Count(Moved) == dead.Length && log.Count == 6 - dead.Length, "each is handled or a dead letter");
        await Waiting.Until(() => kafka.Groups.Single().Loop!.WaitingRetries == 0, "nothing waits");
        await broker.SendAsync(topic, 0, [("k", "later")]);
        await Waiting.Until(() => log.Count == 7 - dead.Length, "what is sent later is handled");

        log.All.Should().Equal([.. Enumerable.Range(0, 6).Select(n => $"{n}").Except(dead), "later"]);
        broker.ReadAll($"{topic}-dlt", dead.Length).Select(copy => System.Text.Encoding.UTF8.GetString(copy.Message.Value!)).Should().Equal(dead);
        log.Invocations("2").Should().HaveCount(then is AfterDeadLetter.Continue ? 1 : 0);
    }

    [SkippableTheory]
    [Trait("Promise", "S26")]
    [Trait("Promise", "S34")]
    [InlineData(KafkaGroupProtocol.Classic)]
    [InlineData(KafkaGroupProtocol.Consumer)]
    [Long]
    public async Task The_order_of_a_key_is_kept_while_members_come_and_go_and_nothing_is_handled_twice(KafkaGroupProtocol protocol)
    {
        Skip.IfNot(broker.CommitsWhileRebalancing(protocol), "The embedded broker refuses commits while a classic group rebalances.");
        const int Keys = 12;
        const int Each = 40;
        var (topic, group) = (await broker.CreateTopicAsync(4), broker.NewGroup());
        var log = new HandledLog();
        static bool Fails(string message, MessageContext context) => int.Parse(message, CultureInfo.InvariantCulture) % 10 == 3
            && context.Retry < 1 + (message[0] % 2);
        async Task<KafkaService> Join()
        {
            var kafka = await StartAsync(group, configure: options => options.GroupProtocol = protocol);
            await SubscribeAsync(kafka, topic, log, Fails);
            return kafka;
        }

        await using var stays = await Join();
        for (var round = 0; round < 4; round++)
        {
            var coming = round % 2 == 0 ? Join() : Task.FromResult<KafkaService>(null!);
            for (var n = round * Each * Keys / 4; n < (round + 1) * Each * Keys / 4; n++)
            {
                await broker.SendAsync(topic, n % Keys % 4, [($"k{n % Keys}", $"{n}")]);
            }

            if (await coming is { } member)
            {
                await member.DisposeAsync();
            }
        }

        await Waiting.Until(() => log.All.Distinct(StringComparer.Ordinal).Count() == Each * Keys, "all are handled", TimeSpan.FromSeconds(90));

        // What was handled ahead of an unfinished message of another key is not handled again by the next owner of the partition.
        for (var key = 0; key < Keys; key++)
        {
            log.Of($"k{key}").Select(static message => int.Parse(message, CultureInfo.InvariantCulture) / Keys).Should().Equal(Enumerable.Range(0, Each),
                "key {0}", key);
        }
    }

    [SkippableFact]
    [Trait("Promise", "S26")]
    public async Task Above_half_of_MaxUncommittedMessages_the_partition_pauses_and_it_goes_on_in_order()
    {
        var (topic, group) = (await broker.CreateTopicAsync(1), broker.NewGroup());
        var log = new HandledLog();
        var mayGoOn = new TaskCompletionSource();
        await using var kafka = await StartAsync(group, configure: static options => options.MaxUncommittedMessages = 40);
        await SubscribeAsync(kafka, topic, log, (message, context) => message == "0"
            && !mayGoOn.Task.IsCompleted, Backoff.Fixed(TimeSpan.FromMilliseconds(100)), attempts: 1_000);
        await broker.SendAsync(topic, 0, Enumerable.Range(0, 400).Select(n => ((string?)"k", $"{n}")));

        await Waiting.Until(() => kafka.Groups.Single().Metrics.BlockedKeyMessages >= 15, "some wait");
        await Waiting.Until(() => log.Invocations("0").Count > 10, "it fails on and on");
        kafka.Groups.Single().Metrics.BlockedKeyMessages.Should().BeLessThan(200, "the partition is paused");
        mayGoOn.SetResult();
        await Waiting.Until(() => log.Count == 400, "all are handled", TimeSpan.FromSeconds(90));

        log.All.Should().Equal(Enumerable.Range(0, 400).Select(n => $"{n}"));
    }

    [SkippableFact]
    [Trait("Promise", "S26")]
    public async Task A_redriven_dead_letter_is_handled_and_never_beside_another_message_of_its_key()
    {
        var (topic, group) = (await broker.CreateTopicAsync(1), broker.NewGroup());
        var (log, running, most, repaired) = (new HandledLog(), 0, 0, false);
        using var logs = new LogEvents();
        await using var kafka = await StartAsync(group, logs);
        await kafka.SubscribeAsync<string>(
            topic,
            async (message, context, _) =>
            {
                most = Math.Max(most, Interlocked.Increment(ref running));
                await Task.Yield();
                await Task.Delay(5, CancellationToken.None);
                Interlocked.Decrement(ref running);
                log.Invoked(message, context);
                if (message == "0" && !Volatile.Read(ref repaired))
                {
                    throw new TimeoutException();
                }

                log.Succeeded(message, context);
            },
            configure: static s =>
            {
                s.Order = MessageOrder.ByKey;
                s.Retry.Topic.MaxAttempts = 1;
                s.Retry.Topic.DelayGenerator = Quick.Before;
                s.Retry.PreserveKeyOrder = true;
            });
        await broker.SendAsync(topic, 0, [("k", "0"), ("k", "1")]);
        await Waiting.Until(() => log.Count == 1 && logs.Count(Moved) == 1, "one is a dead letter");
        Volatile.Write(ref repaired, true);
        var sending = Task.Run(() => broker.SendAsync(topic, 0, Enumerable.Range(2, 200).Select(n => ((string?)"k", $"{n}"))));
        var report = await kafka.DeadLetters.RedriveAsync($"{topic}-dlt");
        await sending;
        await Waiting.Until(() => log.Count == 202, "all are handled");

        report.Sent.Should().Be(1);
        most.Should().Be(1);
        log.All.Where(message => message != "0").Should().Equal(Enumerable.Range(1, 201).Select(n => $"{n}"));
        log.All.Should().OnlyHaveUniqueItems();
    }

    [SkippableFact]
    [Trait("Promise", "S26")]
    public async Task A_retry_topic_of_another_size_is_refused()
    {
        var (topic, group) = (await broker.CreateTopicAsync(3), broker.NewGroup());
        await using var kafka = await StartAsync(group);
        await kafka.Topics.CreateIfNotExistsAsync([new TopicSpec($"{topic}-retry", 2)]);

        var subscribing = () => SubscribeAsync(kafka, topic, new HandledLog(), static (_, _) => false);

        (await subscribing.Should().ThrowAsync<KafkaTopicException>()).WithMessage($"*{topic}-retry*2 partition*{topic}*3*PreserveKeyOrder*");
    }

    [SkippableFact]
    [Trait("Promise", "S26")]
    [Long]
    public async Task A_partition_without_its_retry_partition_is_not_handled_and_says_so()
    {
        var (topic, group) = (await broker.CreateTopicAsync(2), broker.NewGroup());
        await broker.SendAsync(topic, 0, 5);
        await broker.SendAsync(topic, 1, 5);
        using var logs = new LogEvents();
        var log = new HandledLog();

        // A member of the group that reads the retry topic only takes half of it.
        await using var other = await StartAsync(group);
        await other.Topics.CreateIfNotExistsAsync([new TopicSpec($"{topic}-retry", 2)]);
        await other.SubscribeAsync<string>($"{topic}-retry", static (_, _, _) => Task.CompletedTask, configure: static s =>
        {
            s.Retry.Topic.MaxAttempts = 3;
            s.Retry.Topic.Name = "elsewhere-retry";
            s.Retry.PreserveKeyOrder = true;
        });
        await using var kafka = await StartAsync(group, logs);
        await SubscribeAsync(kafka, topic, log, static (_, _) => false);
        await Waiting.Until(() => logs.Count(Alone) == 1, "it says so");

        log.Count.Should().BeLessThan(10);
        await other.DisposeAsync();
        await Waiting.Until(() => log.Count == 10, "it continues when the pair is whole");
    }

    [SkippableFact]
    [Trait("Promise", "S26")]
    public async Task What_cannot_be_had_together_is_refused_at_start()
    {
        var (topic, group) = (await broker.CreateTopicAsync(1), broker.NewGroup());
        await using var kafka = await StartAsync(group);
        async Task Refused(Action<SubscriptionOptions> configure, string why, string? name = null)
        {
            var subscribing = () => kafka.SubscribeAsync<string>(name ?? topic, static (_, _, _) => Task.CompletedTask, configure: configure);
            (await subscribing.Should().ThrowAsync<KafkaConfigurationException>()).WithMessage(why);
        }

        await Refused(static s => s.Retry.PreserveKeyOrder = true, "*PreserveKeyOrder*no retry topic*Retry.Topic*");
        await Refused(static s =>
        {
            s.Retry.Topic.MaxAttempts = 3;
            s.Retry.PreserveKeyOrder = true;
            s.Retry.AllowReorder = true;
        }, "*PreserveKeyOrder*AllowReorder*");
        await Refused(static s =>
        {
            s.Order = MessageOrder.ByPartition;
            s.Retry.Topic.MaxAttempts = 3;
            s.Retry.PreserveKeyOrder = true;
        }, "*PreserveKeyOrder*Order = ByPartition*");
        await Refused(static s =>
        {
            s.Order = MessageOrder.Unordered;
            s.Retry.Topic.MaxAttempts = 3;
            s.Retry.PreserveKeyOrder = true;
        }, "*PreserveKeyOrder*Order = Unordered*");
        await Refused(static s =>
        {
            s.Retry.Topic.MaxAttempts = 3;
            s.Retry.PreserveKeyOrder = true;
            s.Retry.Topic.AdoptRecordsWithoutGroup = true;
        }, "*PreserveKeyOrder*AdoptRecordsWithoutGroup*");
        await Refused(static s => { s.Retry.Topic.MaxAttempts = 3; s.Retry.PreserveKeyOrder = true; }, "*PreserveKeyOrder*pattern*", $"^{topic}.*");
        var batch = () => kafka.SubscribeBatchAsync<string>(topic, static (_, _) => Task.CompletedTask, configure: static s =>
        {
            s.Retry.Topic.MaxAttempts = 3;
            s.Retry.PreserveKeyOrder = true;
        });
        (await batch.Should().ThrowAsync<KafkaConfigurationException>()).WithMessage("*PreserveKeyOrder*batch handler*");

        await using var roundRobin = await StartAsync(group, configure: static options => options.Assignor = KafkaAssignor.RoundRobin);
        var robin = () => SubscribeAsync(roundRobin, topic, new HandledLog(), static (_, _) => false);
        (await robin.Should().ThrowAsync<KafkaConfigurationException>()).WithMessage("*PreserveKeyOrder*range*RoundRobin*");
    }

    [SkippableFact]
    [Trait("Promise", "S26")]
    public async Task A_group_that_runs_takes_the_range_assignor_when_the_order_of_keys_is_to_be_preserved()
    {
        var (plain, topic, group) = (await broker.CreateTopicAsync(2), await broker.CreateTopicAsync(2), broker.NewGroup());
        var (others, log) = (new HandledLog(), new HandledLog());
        await using var kafka = await StartAsync(group);
        await kafka.SubscribeAsync<string>(plain, (message, context, _) =>
        {
            others.Succeeded(message, context);
            return Task.CompletedTask;
        });
        await broker.SendAsync(plain, 0, 5);
        await Waiting.Until(() => others.Count == 5, "the group works");

        await SubscribeAsync(kafka, topic, log, static (message, context) => message == "0" && context.Retry == 0);
        await broker.SendAsync(topic, 1, Enumerable.Range(0, 5).Select(n => ((string?)"k", $"{n}")));
        await broker.SendAsync(plain, 0, 5, from: 5);
        await Waiting.Until(() => others.Count >= 10 && log.Count == 5, "both continue");

        others.All.Should().BeEquivalentTo(Enumerable.Range(0, 10).Select(n => $"{n}"));
        log.All.Should().Equal("0", "1", "2", "3", "4");
    }

    private protected static Task<ISubscription> SubscribeAsync(
        KafkaService kafka, string topic, HandledLog log, Func<string, MessageContext, bool> fails, Backoff? delay = null,
            AfterDeadLetter then = AfterDeadLetter.Continue, int attempts = 3) =>
        kafka.SubscribeAsync<string>(
            topic,
            (message, context, _) =>
            {
                log.Invoked(message, context);
                if (fails(message, context))
                {
                    throw new TimeoutException("it fails");
                }

                log.Succeeded(message, context);
                return Task.CompletedTask;
            },
            configure: s =>
            {
                s.Order = MessageOrder.ByKey;
                s.Retry.Topic.MaxAttempts = attempts;
                s.Retry.Topic.DelayGenerator = (delay ?? Quick).Before;
                s.Retry.PreserveKeyOrder = true;
                s.Retry.AfterDeadLetter = then;
            });

    private protected async Task<KafkaService> StartAsync(string group, LogEvents? logs = null, Action<KafkaOptions>? configure = null)
    {
        var service = new KafkaService(
            broker.Options(options =>
            {
                options.TopicCreation = TopicCreation.IfMissing;
                configure?.Invoke(options);
            }),
            logs);
        await service.ConnectConsumerAsync(group);
        return service;
    }

    /// <summary>What was invoked and what succeeded, in the order in which it did.</summary>
    private protected sealed class HandledLog
    {
        private readonly ConcurrentQueue<(string Key, string Message)> _succeeded = new();
        private readonly ConcurrentQueue<(string Message, int Retry, int Attempt)> _invoked = new();

        public int Count => _succeeded.Count;

        public IReadOnlyList<string> All => [.. _succeeded.Select(static one => one.Message)];

        public IReadOnlyList<string> Of(string key) => [.. _succeeded.Where(one => one.Key == key).Select(static one => one.Message)];

        public IReadOnlyList<(int Retry, int Attempt)> Invocations(string message) =>
            [.. _invoked.Where(one => one.Message == message).Select(static one => (one.Retry, one.Attempt))];

        public void Invoked(string message, MessageContext context) => _invoked.Enqueue((message, context.Retry, context.Attempt));

        public void Succeeded(string message, MessageContext context) => _succeeded.Enqueue((context.Key.ToString(), message));
    }
}

public sealed class KeyOrderOnTheEmbeddedBroker(EmbeddedTestBroker broker) : KeyOrderContract<EmbeddedTestBroker>(broker);

public sealed class KeyOrderOnRealKafka(KafkaTestBroker broker) : KeyOrderContract<KafkaTestBroker>(broker);
