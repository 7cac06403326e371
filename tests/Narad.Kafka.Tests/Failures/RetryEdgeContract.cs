using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text;
using Confluent.Kafka;
using Narad.Kafka.Shared;
using Narad.Kafka.Tests.Consuming;
using Narad.Kafka.Tests.Service;

namespace Narad.Kafka.Tests.Failures;

/// <summary>Retry topics where several things come together: batches, moves under way, a restart, a topic that changed.</summary>
public abstract class RetryEdgeContract<TBroker>(TBroker broker) : IClassFixture<TBroker>
    where TBroker : TestBroker
{
    [SkippableFact]
    [Trait("Promise", "S21")]
    [Long]
    public async Task A_batch_never_gets_what_is_only_moved_before_it_is_due()
    {
        var (topic, group) = (await broker.CreateTopicAsync(1), broker.NewGroup());
        await broker.SendAsync(topic, 0, Enumerable.Range(0, 100).Select(n => ((string?)$"k{n}", n % 2 == 0 ? $"late {n}" : $"soon {n}")));
        var dues = new ConcurrentDictionary<string, DateTimeOffset>(StringComparer.Ordinal);
        var early = new ConcurrentQueue<(string Message, TimeSpan By)>();
        var handled = new ConcurrentQueue<string>();
        // more wait at once, also where they come slowly
        await using var kafka = await StartAsync(group, static options => options.MaxUncommittedMessages = 10);
        await kafka.SubscribeBatchAsync<string>(
            topic,
            (batch, _) =>
            {
                if (batch.Items[0].Context.Retry == 0)
                {
                    var delay = TimeSpan.FromSeconds(batch.Items[0].Message[0] == 'l' ? 12 : 6);
                    dues[batch.Items[0].Message] = DateTimeOffset.UtcNow + delay;
                    throw new RetryLaterException(delay);
                }

                foreach (var item in batch.Items)
                {
                    handled.Enqueue(item.Message);
                    if (DateTimeOffset.UtcNow < dues[item.Message])
                    {
                        early.Enqueue((item.Message, dues[item.Message] - DateTimeOffset.UtcNow));
                    }
                }

                return Task.CompletedTask;
            },
            configure: static s => s.Retry.Topic.MaxAttempts = 3);

        await Waiting.Until(() => handled.Distinct(StringComparer.Ordinal).Count() == 100, "all are handled", TimeSpan.FromSeconds(60));

        kafka.Groups.Sum(one => one.Metrics.Republishes).Should().BePositive("some were in the way");
        early.Should().BeEmpty();
        handled.Should().OnlyHaveUniqueItems();
    }

    [SkippableFact]
    [Trait("Promise", "S19")]
    public async Task What_was_about_to_be_moved_when_the_service_stops_holds_nobody_up_and_what_is_finished_behind_it_stays_finished()
    {
        var (topic, group) = (await broker.CreateTopicAsync(1), broker.NewGroup());
        var messages = Enumerable.Range(0, 15).Select(n => $"late {n}").Append("slow").Concat(Enumerable.Range(0, 4).Select(n => $"soon {n}"));
        await broker.SendAsync(topic, 0, messages.Select((message, n) => ((string?)$"k{n}", message)));
        var invocations = new ConcurrentQueue<string>();
        var release = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        async Task HandleAsync(string message, MessageContext context, CancellationToken token)
        {
            if (context.Retry == 0)
            {
                throw new RetryLaterException(message[..4] switch { "late" => TimeSpan.FromSeconds(20), "slow" => TimeSpan.FromSeconds(6), _ =>
                    TimeSpan.FromMilliseconds(100) });
            }

            invocations.Enqueue(message);
            if (message == "slow")
            {
                await release.Task.WaitAsync(token);
            }
        }

        static void Configure(SubscriptionOptions s) => (s.Parallelism, s.Retry.Topic.MaxAttempts) = (1, 3);
        var took = new Stopwatch();
        await using (var kafka = await StartAsync(group, static options => options.MaxUncommittedMessages = 20))
        {
            await kafka.SubscribeAsync<string>(topic, HandleAsync, configure: Configure);
            await Waiting.Until(() => invocations.Count == 5 && Held(kafka) == 7, "the slow one runs, six are about to be moved", TimeSpan.FromSeconds(40));
            took.Start();
            var stopping = kafka.DisconnectAsync();
            await Waiting.Until(() => took.Elapsed > TimeSpan.FromMilliseconds(300), "it stops");
            release.SetResult();
            await stopping;
            took.Stop();
        }

        await using var next = await StartAsync(group, static options => options.MaxUncommittedMessages = 20);
        await next.SubscribeAsync<string>(topic, HandleAsync, configure: Configure);
        await Waiting.Until(() => invocations.Count(static message => message[0] == 'l') == 15, "those that waited are handled", TimeSpan.FromSeconds(60));

        (string.Join(", ", invocations.GroupBy(static m => m, StringComparer.Ordinal).Where(static g => g.Count() > 1).Select(static g => g.Key)),
            took.Elapsed < TimeSpan.FromSeconds(3)).Should().Be(("", true));
    }

    [SkippableFact]
    [Trait("Promise", "S19")]
    public async Task A_due_retry_whose_turn_has_not_come_when_the_service_stops_makes_nobody_be_handled_twice()
    {
        var (topic, group) = (await broker.CreateTopicAsync(1), broker.NewGroup());
        await broker.SendAsync(topic, 0, [("a", "first"), ("a", "second")]);
        var invocations = new ConcurrentQueue<string>();
        var release = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        async Task HandleAsync(string message, MessageContext context, CancellationToken token)
        {
            if (context.Retry == 0)
            {
                throw new RetryLaterException(message == "other" ? TimeSpan.FromMilliseconds(100) : TimeSpan.FromSeconds(4));
            }

            invocations.Enqueue(message);
            if (message == "first")
            {
                await release.Task.WaitAsync(token);
            }
        }

        await using (var kafka = await StartAsync(group))
        {
            await kafka.SubscribeAsync<string>(topic, HandleAsync, configure: static s => s.Retry.Topic.MaxAttempts = 3);
            await Waiting.Until(() => kafka.Groups.Sum(static one => one.Loop?.WaitingRetries ?? 0) == 2, "both wait");
            await broker.SendAsync(topic, 0, [("b", "other")]);
            await Waiting.Until(() => Held(kafka) == 2 && invocations.Count == 2, "the first runs, the second is behind it, the other is finished");
            var stopping = kafka.DisconnectAsync();
            var began = Stopwatch.StartNew();
            await Waiting.Until(() => began.Elapsed > TimeSpan.FromMilliseconds(300), "it stops");
            release.SetResult();
            await stopping;
        }

        await using var next = await StartAsync(group);
        await next.SubscribeAsync<string>(topic, HandleAsync, configure: static s => s.Retry.Topic.MaxAttempts = 3);
        await Waiting.Until(() => invocations.Contains("second"), "the second is handled");
        var since = DateTime.UtcNow;
        await Waiting.Until(() => DateTime.UtcNow - since > TimeSpan.FromSeconds(2), "nothing comes twice");

        invocations.Should().BeEquivalentTo("first", "second", "other");
    }

    [SkippableFact]
    [Trait("Promise", "S12")]
    public async Task What_retention_took_before_it_could_be_moved_is_not_waited_for()
    {
        var (topic, group) = (await broker.CreateTopicAsync(1), broker.NewGroup());
        await broker.SendAsync(topic, 0, 20);
        await using var kafka = await StartAsync(group, static options => options.MaxUncommittedMessages = 20);
        await kafka.SubscribeAsync<string>(
            topic,
            static (_, context, _) => context.Retry == 0 ? throw new RetryLaterException(TimeSpan.FromSeconds(20)) : Task.CompletedTask,
            configure: static s => s.Retry.Topic.MaxAttempts = 3);
        await Waiting.Until(() => kafka.Groups.Sum(static one => one.Loop?.WaitingRetries ?? 0) == 20, "all wait");
        await broker.DeleteRecordsAsync($"{topic}-retry", 0, 10);
        await Waiting.Until(() => kafka.Groups.Sum(static one => one.Metrics.Gone) >= 6, "some are gone when they are to be moved");

        using var stalls = new Stalls();
        var watch = Stopwatch.StartNew();
        await kafka.DisconnectAsync();
        watch.Elapsed.Should().BeLessThan(TimeSpan.FromSeconds(3) + stalls.Allowance);
    }

    [SkippableFact]
    [Trait("Promise", "S19")]
    public async Task A_subscription_that_nobody_waits_for_any_more_still_gets_its_retries()
    {
        var (topic, group) = (await broker.CreateTopicAsync(1), broker.NewGroup());
        await broker.SendAsync(topic, 0, [("a", "x")]);
        var invocations = new ConcurrentQueue<int>();
        await using var kafka = await StartAsync(group);
        using var given = new CancellationTokenSource(TimeSpan.FromMilliseconds(50));
        var subscribe = () => kafka.SubscribeAsync<string>(
            topic,
            (_, context, _) =>
            {
                invocations.Enqueue(context.Retry);
                return context.Retry == 0 ? throw new RetryLaterException(TimeSpan.FromMilliseconds(100)) : Task.CompletedTask;
            },
            configure: static s => s.Retry.Topic.MaxAttempts = 3,
            cancellationToken: given.Token);
        await subscribe.Should().ThrowAsync<OperationCanceledException>();

        await Waiting.Until(() => !invocations.IsEmpty || kafka.Subscriptions.Count == 0, "it continues, or ended", TimeSpan.FromSeconds(15));
        await Waiting.Until(() => invocations.Count == 2
            || kafka.Subscriptions.Count == 0, "what it moved to its retry topic is handled", TimeSpan.FromSeconds(15));
    }

    [SkippableFact]
    [Trait("Promise", "S22")]
    public async Task Where_the_retry_topic_was_created_again_anothers_message_at_the_same_offset_is_not_handled()
    {
        var (topic, group) = (await broker.CreateTopicAsync(1), broker.NewGroup());
        await broker.SendAsync(topic, 0, [("a", "x")]);
        var retried = new ConcurrentQueue<string>();
        await using var kafka = await StartAsync(group);
        await kafka.SubscribeAsync<string>(
            topic,
            (message, context, _) =>
            {
                if (context.Retry == 0)
                {
                    throw new RetryLaterException(TimeSpan.FromSeconds(2));
                }

                retried.Enqueue(message);
                return Task.CompletedTask;
            },
            configure: static s => s.Retry.Topic.MaxAttempts = 3);
        await Waiting.Until(() => kafka.Groups.Sum(static one => one.Loop?.WaitingRetries ?? 0) == 1, "it waits");
        await broker.RecreateTopicAsync($"{topic}-retry", 1);
        await broker.SendRawAsync($"{topic}-retry", 0, new Message<byte[]?, byte[]?>
        {
            Value = "another's"u8.ToArray(),
            Headers = new Headers { { "narad-topic", Encoding.UTF8.GetBytes(topic) }, { "narad-group", "another"u8.ToArray() }, { "retry", "1"u8.ToArray() },
                { "narad-due", Encoding.UTF8.GetBytes($"{DateTimeOffset.UtcNow.AddHours(1).ToUnixTimeMilliseconds()}") } },
        });

        var since = DateTime.UtcNow;
        await Waiting.Until(() => DateTime.UtcNow - since > TimeSpan.FromSeconds(8), "it would have been due");
        retried.Should().NotContain("another's");
    }

    private protected async Task<KafkaService> StartAsync(string group, Action<KafkaOptions>? configure = null)
    {
        var service = new KafkaService(broker.Options(options =>
        {
            options.TopicCreation = TopicCreation.IfMissing;
            configure?.Invoke(options);
        }));
        await service.ConnectConsumerAsync(group);
        return service;
    }

    private static long Held(KafkaService kafka) => kafka.Groups.Sum(static one => one.Loop?.BufferedMessages ?? 0);
}

public sealed class RetryEdgesOnEmbedded(EmbeddedTestBroker broker) : RetryEdgeContract<EmbeddedTestBroker>(broker);

public sealed class RetryEdgesOnKafka(KafkaTestBroker broker) : RetryEdgeContract<KafkaTestBroker>(broker);
