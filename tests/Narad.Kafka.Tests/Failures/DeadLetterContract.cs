using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using Confluent.Kafka;
using Confluent.Kafka.Admin;
using Narad.Kafka.Tests.Consuming;
using Narad.Kafka.Tests.Service;

namespace Narad.Kafka.Tests.Failures;

/// <summary>What cannot be handled is in the dead-letter topic, byte for byte, before its offset is finished.</summary>
public abstract class DeadLetterContract<TBroker>(TBroker broker) : IClassFixture<TBroker>
    where TBroker : TestBroker
{
    protected const int CouldNotBeMoved = 3016;
    protected const int CouldNotBeMovedAgain = 3005;

    private sealed record Order(string Id);

    [SkippableFact]
    [Trait("Promise", "S24")]
    [Trait("Promise", "S23")]
    public async Task What_cannot_be_deserialized_goes_there_byte_for_byte_at_once_and_its_partition_moves_on()
    {
        var (topic, group) = (await broker.CreateTopicAsync(3), broker.NewGroup());
        byte[][] poison = [[0xFF, 0xFE, 0x00], Encoding.UTF8.GetBytes("{\"id\":"), []];
        byte[]?[] keys = [null, [], [0xC3, 0x28]];
        var headers = new Headers { { "traceparent", Encoding.UTF8.GetBytes("x") }, { "null", null }, { "empty", [] },
            { "retry", Encoding.UTF8.GetBytes("7") }, { "narad-topic", [0xFF] } };
        var sentAt = DateTimeOffset.UtcNow.AddHours(-1).ToUnixTimeMilliseconds();
        foreach (var (value, key) in poison.Zip(keys))
        {
            await broker.SendRawAsync(topic, 2, new Message<byte[]?, byte[]?> { Key = key, Value = value, Headers = headers,
                Timestamp = new Timestamp(sentAt, TimestampType.CreateTime) });
        }

        await broker.SendAsync(topic, 2, [("k", """{"id":"good"}""")]);
        var handled = new ConcurrentQueue<string>();
        await using var kafka = await StartAsync(group);
        await kafka.SubscribeAsync<Order>(
            topic,
            (order, _, _) =>
            {
                handled.Enqueue(order.Id);
                return Task.CompletedTask;
            },
            configure: static s => { s.Retry.InMemory.MaxAttempts = 5; s.Retry.InMemory.Delay = TimeSpan.FromMinutes(1); s.DeadLetter.Enabled = true; });

        await broker.CommittedReaches(group, topic, 2, 4);

        handled.Should().Equal("good");
        var copies = broker.ReadAll($"{topic}-dlt", 3);
        copies.Should().OnlyContain(copy => copy.Partition.Value == 2);
        copies.Select(copy => copy.Message.Value).Should().BeEquivalentTo(poison);
        foreach (var copy in copies)
        {
            var index = Array.FindIndex(poison, value => value.AsSpan().SequenceEqual(copy.Message.Value));
            copy.Message.Key.Should().Equal(keys[index]);
            copy.Message.Headers.Take(5).Select(header => (header.Key, header.GetValueBytes())).Should().BeEquivalentTo(
                headers.Select(header => (header.Key, header.GetValueBytes())), options => options.WithStrictOrdering());
            Text(copy, "narad-topic").Should().Be(topic);
            Text(copy, "narad-partition").Should().Be("2");
            Text(copy, "narad-offset").Should().Be($"{index}");
            Text(copy, "narad-timestamp").Should().Be($"{sentAt}");
            Text(copy, "narad-group").Should().Be(group);
            Text(copy, "narad-exception-type").Should().Be(typeof(MessageDeserializationException).FullName);
            copy.Message.Timestamp.UtcDateTime.Should().BeAfter(DateTime.UtcNow.AddMinutes(-10), "an old timestamp would die by retention");
        }
    }

    [SkippableFact]
    [Trait("Promise", "S24")]
    public async Task A_policy_says_by_type_by_delegate_and_by_the_handler_itself_what_is_repeated_skipped_or_dead_lettered()
    {
        var (topic, group) = (await broker.CreateTopicAsync(1), broker.NewGroup());
        string[] messages = ["repeated", "caused", "several", "handler", "delegate", "skipped", "good"];
        await broker.SendAsync(topic, 0, messages.Select(message => ((string?)message, message)));
        var invocations = new ConcurrentDictionary<string, int>(StringComparer.Ordinal);
        await using var kafka = await StartAsync(group);
        await kafka.SubscribeAsync<string>(
            topic,
            (message, _, _) =>
            {
                invocations.AddOrUpdate(message, 1, static (_, count) => count + 1);
                return message switch
                {
                    "repeated" => throw new TimeoutException("again and again"),
                    "caused" => throw new InvalidOperationException("outside", new FormatException("inside")),
                    "several" => throw new AggregateException(new TimeoutException(), new FormatException()),
                    "handler" => throw new DeadLetterException("no such customer", new TimeoutException()),
                    "delegate" => throw new NotSupportedException(),
                    "skipped" => throw new KeyNotFoundException(),
                    _ => Task.CompletedTask,
                };
            },
            configure: static s =>
            {
                s.Retry.InMemory.MaxAttempts = 2;
                s.Retry.ExceptionActions[typeof(FormatException)] = FailureAction.DeadLetter;
                s.Retry.ExceptionActions[typeof(KeyNotFoundException)] = FailureAction.Skip;
                s.Retry.ActionSelector = static failed => failed.Error is NotSupportedException && failed.Context.Attempt == 2 ? FailureAction.DeadLetter
                    : null;
                s.DeadLetter.Enabled = true;
            });

        await broker.CommittedReaches(group, topic, 0, messages.Length);

        invocations.Should().BeEquivalentTo(new Dictionary<string, int>(StringComparer.Ordinal)
        {
            ["repeated"] = 3, ["caused"] = 1, ["several"] = 1, ["handler"] = 1, ["delegate"] = 2, ["skipped"] = 1, ["good"] = 1,
        });
        var copies = broker.ReadAll($"{topic}-dlt", 5);
        copies.Select(copy => Encoding.UTF8.GetString(copy.Message.Value!)).Should().BeEquivalentTo("repeated", "caused", "several", "handler", "delegate");
        Text(copies.Single(copy => Encoding.UTF8.GetString(copy.Message.Value!) == "handler"), "narad-exception-message").Should().Be("no such customer");
        kafka.Groups.First().Metrics.SkipsByPolicy.Should().Be(1);
        kafka.Groups.First().Metrics.DeadLetters.Should().Be(5);
    }

    [SkippableFact]
    [Trait("Promise", "S20")]
    public async Task While_its_copy_cannot_be_published_a_message_stays_unfinished_and_holds_its_key_alone()
    {
        var (topic, group) = (await broker.CreateTopicAsync(1), broker.NewGroup());
        var deadLetters = await broker.CreateTopicAsync(1);
        var handled = new ConcurrentQueue<string>();
        var refused = new TaskCompletionSource();
        var log = new LogEvents();
        await using var kafka = new KafkaService(broker.Options(static options => options.SendTimeout = TimeSpan.FromSeconds(5)), log);
        await kafka.ConnectConsumerAsync(group);
        await kafka.SubscribeAsync<string>(
            topic,
            async (message, context, _) =>
            {
                if (message == "bad")
                {
                    await refused.Task;
                    throw new InvalidOperationException("no stock");
                }

                handled.Enqueue(message);
            },
            configure: s => { s.DeadLetter.Enabled = true; s.DeadLetter.TopicName = deadLetters; });
        await broker.SendAsync(topic, 0, [("a", "before"), ("a", "bad"), ("a", "behind"), ("b", "other 1"), ("c", "other 2")]);
        var end = await broker.RefuseWritesAsync(deadLetters);
        refused.SetResult();

        await Waiting.Until(() => handled.Count == 3 && log.Count(CouldNotBeMoved) == 1
            && log.Count(CouldNotBeMovedAgain) >= 1, "other keys continue, and publishing has failed twice", TimeSpan.FromSeconds(60));
        await broker.CommittedReaches(group, topic, 0, 1);
        handled.Should().BeEquivalentTo("before", "other 1", "other 2");
        broker.Committed(group, topic, 0).Should().Be(1, "the message that failed is not finished");

        await end();
        await broker.CommittedReaches(group, topic, 0, 5);
        handled.Should().Contain("behind").And.HaveCount(4);
        var copies = broker.ReadAll(deadLetters, 1);
        copies.Should().NotBeEmpty().And.OnlyContain(copy => Encoding.UTF8.GetString(copy.Message.Value!) == "bad");
    }

    [SkippableFact]
    [Trait("Promise", "S24")]
    public async Task Of_a_batch_only_the_message_that_failed_is_dead_lettered()
    {
        var (topic, group) = (await broker.CreateTopicAsync(1), broker.NewGroup());
        await broker.SendAsync(topic, 0, 10);
        var handled = new ConcurrentQueue<int>();
        await using var kafka = await StartAsync(group);
        await kafka.SubscribeBatchAsync<int>(
            topic,
            (batch, _) =>
            {
                for (var i = 0; i < batch.Items.Count; i++)
                {
                    if (batch.Items[i].Message is 4 or 7)
                    {
                        throw new BatchFailedException(i, new InvalidOperationException("no stock"));
                    }

                    handled.Enqueue(batch.Items[i].Message);
                }

                return Task.CompletedTask;
            },
            configure: static s => { s.MaxBatchSize = 10; s.MaxBatchWait = TimeSpan.FromMilliseconds(50); s.DeadLetter.Enabled = true; });

        await broker.CommittedReaches(group, topic, 0, 10);

        handled.Should().Equal(0, 1, 2, 3, 5, 6, 8, 9);
        broker.ReadAll($"{topic}-dlt", 2).Select(copy => Encoding.UTF8.GetString(copy.Message.Value!)).Should().Equal("4", "7");
    }

    [SkippableFact]
    [Trait("Promise", "S23")]
    public async Task Where_our_headers_would_make_a_copy_too_large_they_are_cut_and_never_the_value()
    {
        var (topic, group) = (await broker.CreateTopicAsync(1), broker.NewGroup());
        var deadLetters = await broker.CreateSmallTopicAsync(100_000);
        var value = new byte[98_500];
        Random.Shared.NextBytes(value);
        await broker.SendRawAsync(topic, 0, new Message<byte[]?, byte[]?> { Value = value });
        await using var kafka = await StartAsync(group);
        await kafka.SubscribeAsync<byte[]>(topic, static (_, _, _) => throw new InvalidOperationException(new string('x', 2_000)), configure: s =>
        {
            s.DeadLetter.Enabled = true;
            s.DeadLetter.TopicName = deadLetters;
        });

        await broker.CommittedReaches(group, topic, 0, 1);

        var copy = broker.ReadAll(deadLetters, 1).Should().ContainSingle().Subject;
        copy.Message.Value.Should().Equal(value);
        Text(copy, "narad-topic").Should().Be(topic);
        copy.Message.Headers.Should().NotContain(header => header.Key == "narad-exception-stack");
    }

    [SkippableFact]
    [Trait("Promise", "S20")]
    public async Task A_message_larger_than_any_that_this_application_may_send_is_moved_all_the_same()
    {
        var (topic, group) = (await broker.CreateTopicAsync(1), broker.NewGroup());
        var value = new byte[120_000];
        Random.Shared.NextBytes(value);
        await broker.SendRawAsync(topic, 0, new Message<byte[]?, byte[]?> { Value = value });
        var retries = 0;
        await using var kafka = await StartAsync(group, static options => options.MaxMessageBytes = 100_000);
        await kafka.SubscribeAsync<byte[]>(
            topic,
            (_, context, _) =>
            {
                Interlocked.Add(ref retries, context.Retry);
                throw new InvalidOperationException();
            },
            configure: static s =>
            {
                s.Retry.Topic.MaxAttempts = 1;
                s.Retry.Topic.Delay = TimeSpan.FromMilliseconds(50);
                s.Retry.Topic.BackoffType = DelayBackoffType.Constant;
            });

        broker.ReadAll($"{topic}-dlt", 1).Should().ContainSingle().Which.Message.Value.Should().Equal(value);
        retries.Should().Be(1);
        await kafka.ConnectProducerAsync();
        (await kafka.Awaiting(service => service.SendAsync(topic, value).AsTask()).Should().ThrowAsync<KafkaSendException>()).Which.Reason.Should()
            .Be(nameof(ErrorCode.MsgSizeTooLarge));
    }

    [SkippableFact]
    public async Task Dead_letters_do_not_connect_the_application_for_sending()
    {
        var (topic, group) = (await broker.CreateTopicAsync(1), broker.NewGroup());
        await broker.SendAsync(topic, 0, 1);
        await using var kafka = await StartAsync(group);
        await kafka.SubscribeAsync<string>(topic, static (_, _, _) => throw new InvalidOperationException(), configure: static s =>
            s.DeadLetter.Enabled = true);
        await broker.CommittedReaches(group, topic, 0, 1);

        await kafka.Awaiting(service => service.SendAsync(topic, "m").AsTask()).Should().ThrowAsync<KafkaNotConnectedException>()
            .WithMessage("*not connected*");
        await kafka.ConnectProducerAsync();
        (await kafka.SendAsync(topic, "m")).Offset.Should().Be(1);
    }

    protected Task<KafkaService> StartAsync(string group, Action<KafkaOptions>? configure = null) => broker.StartAsync(group, options =>
    {
        options.TopicCreation = TopicCreation.IfMissing;
        configure?.Invoke(options);
    });

    protected static string Text(ConsumeResult<byte[]?, byte[]?> copy, string header) => Encoding.UTF8.GetString(copy.Message.Headers.GetLastBytes(header));
}

public sealed class DeadLettersOnEmbedded(EmbeddedTestBroker broker) : DeadLetterContract<EmbeddedTestBroker>(broker);

public sealed class DeadLettersOnKafka(KafkaTestBroker broker) : DeadLetterContract<KafkaTestBroker>(broker)
{
    private readonly KafkaTestBroker _broker = broker;

    [SkippableFact]
    [Trait("Promise", "S24")]
    public async Task A_dead_letter_topic_that_is_missing_and_may_not_be_created_is_named_at_the_start()
    {
        var (topic, group) = (await _broker.CreateTopicAsync(4), _broker.NewGroup());
        await using var kafka = await _broker.StartAsync(group);

        var subscribing = () => kafka.SubscribeAsync<string>(topic, static (_, _, _) => Task.CompletedTask, configure: static s => s.DeadLetter.Enabled = true);

        (await subscribing.Should().ThrowAsync<KafkaTopicException>())
            .WithMessage($"Topic '{topic}-dlt'*does not exist. Create it with 4 partition(s)*TopicCreation*");
        kafka.Subscriptions.Should().BeEmpty();
    }

    [SkippableFact]
    [Trait("Promise", "S21")]
    public async Task A_retry_topic_that_is_missing_and_may_not_be_created_is_named_at_the_start()
    {
        var (topic, group) = (await _broker.CreateTopicAsync(4), _broker.NewGroup());
        await using var kafka = await _broker.StartAsync(group);

        var subscribing = () => kafka.SubscribeAsync<string>(topic, static (_, _, _) => Task.CompletedTask, configure: static s =>
            s.Retry.Topic.MaxAttempts = 3);

        (await subscribing.Should().ThrowAsync<KafkaTopicException>())
            .WithMessage($"Topic '{topic}-retry'*does not exist. Create it with 4 partition(s)*retention.ms=691200000*TopicCreation*");
        kafka.Subscriptions.Should().BeEmpty();
    }

    [SkippableFact]
    [Trait("Promise", "S24")]
    public async Task A_dead_letter_topic_is_created_like_its_source_and_keeps_for_ever()
    {
        var (topic, group) = (await _broker.CreateTopicAsync(4), _broker.NewGroup());
        await using var kafka = await StartAsync(group);
        await kafka.SubscribeAsync<string>(topic, static (_, _, _) => Task.CompletedTask, configure: static s => s.DeadLetter.Enabled = true);

        (await kafka.Topics.GetPartitionCountsAsync([$"{topic}-dlt"])).Should().ContainSingle().Which.Value.Should().Be(4);
        using var admin = new AdminClientBuilder(new AdminClientConfig { BootstrapServers = _broker.Brokers }).Build();
        var settings = await admin.DescribeConfigsAsync([new ConfigResource { Type = ResourceType.Topic, Name = $"{topic}-dlt" }]);
        settings.Single().Entries["retention.ms"].Value.Should().Be("-1");
        int.Parse(settings.Single().Entries["max.message.bytes"].Value, CultureInfo.InvariantCulture).Should()
            .BeGreaterThan(1_048_588, "a copy has headers that the message has not");
    }

    [SkippableFact]
    [Trait("Promise", "S21")]
    public async Task Retry_topics_are_created_like_their_source_and_keep_longer_than_the_longest_delay()
    {
        var (topic, group) = (await _broker.CreateTopicAsync(4), _broker.NewGroup());
        await using var kafka = await StartAsync(group);
        await kafka.SubscribeAsync<string>(topic, static (_, _, _) => Task.CompletedTask, configure: static s =>
        {
            s.Retry.Topic.MaxAttempts = 3;
            s.Retry.Topic.MaxDelay = TimeSpan.FromDays(30);
        });

        var found = await kafka.Topics.GetDetailsAsync($"{topic}-retry");
        found!.Partitions.Should().Be(4);
        found.Retention.Should().Be(TimeSpan.FromDays(37));
        found.CleanupPolicy.Should().Be(TopicCleanupPolicy.Delete);
        (await kafka.Topics.GetDetailsAsync($"{topic}-dlt"))!.Retention.Should().BeNull();
    }

    [SkippableTheory]
    [Trait("Promise", "S21")]
    [InlineData("retention.ms", "86400000", "*keeps messages for 24 h*maxDelay*")]
    [InlineData("cleanup.policy", "compact", "*is compacted*cleanup.policy=delete*")]
    public async Task A_retry_topic_that_would_forget_what_waits_is_refused_at_the_start(string setting, string value, string message)
    {
        var (topic, group) = (await _broker.CreateTopicAsync(1), _broker.NewGroup());
        await using var kafka = await StartAsync(group);
        await kafka.Topics.CreateIfNotExistsAsync([new TopicSpec($"{topic}-retry", 1,
            Settings: new Dictionary<string, string>(StringComparer.Ordinal) { [setting] = value })]);

        var subscribing = () => kafka.SubscribeAsync<string>(topic, static (_, _, _) => Task.CompletedTask, configure: static s =>
            s.Retry.Topic.MaxAttempts = 3);

        (await subscribing.Should().ThrowAsync<KafkaTopicException>()).WithMessage(message);
    }

    [SkippableFact]
    [Trait("Promise", "S20")]
    public async Task A_dead_letter_topic_that_is_deleted_meanwhile_is_not_created_anew_as_another_one_and_its_letter_waits()
    {
        var (topic, group) = (await _broker.CreateTopicAsync(1), _broker.NewGroup());
        using var logs = new LogEvents();
        await using var kafka = new KafkaService(_broker.Options(static options =>
            (options.TopicCreation, options.SendTimeout) = (TopicCreation.IfMissing, TimeSpan.FromSeconds(5))), logs);
        await kafka.ConnectConsumerAsync(group);
        await kafka.SubscribeAsync<string>(topic, static (_, _, _) => throw new InvalidOperationException(), configure: static s =>
            s.DeadLetter.Enabled = true);
        await kafka.Topics.DeleteAsync([$"{topic}-dlt"]);

        await _broker.SendAsync(topic, 0, 1);

        await Waiting.Until(() => logs.Count(CouldNotBeMoved) == 1
            && logs.Count(CouldNotBeMovedAgain) >= 1, "its copy is refused and tried again", TimeSpan.FromSeconds(60));
        (await kafka.Topics.GetPartitionCountsAsync([$"{topic}-dlt"])).Should().BeEmpty("it would have been without unlimited retention");
        await kafka.Topics.CreateIfNotExistsAsync([new TopicSpec($"{topic}-dlt", 1)]);
        await _broker.CommittedReaches(group, topic, 0, 1);
    }

    [SkippableFact]
    public async Task A_dead_letter_topic_that_forgets_or_is_too_small_is_warned_about()
    {
        var (topic, group) = (await _broker.CreateTopicAsync(1), _broker.NewGroup());
        using var logs = new LogEvents();
        await using var kafka = new KafkaService(_broker.Options(static options => options.TopicCreation = TopicCreation.IfMissing), logs);
        await kafka.ConnectConsumerAsync(group);
        await kafka.Topics.CreateIfNotExistsAsync([new TopicSpec(
            $"{topic}-dlt", 1, Settings: new Dictionary<string, string>(StringComparer.Ordinal) { ["retention.ms"] = "3600000", ["cleanup.policy"] = "compact",
                ["max.message.bytes"] = "1000" })]);
        await kafka.SubscribeAsync<string>(topic, static (_, _, _) => Task.CompletedTask, configure: static s => s.DeadLetter.Enabled = true);

        logs.All.Where(one => one.Id is 6010 or 6011 or 6012).Select(one => one.Id).Should().BeEquivalentTo([6010, 6011, 6012]);
    }
}
