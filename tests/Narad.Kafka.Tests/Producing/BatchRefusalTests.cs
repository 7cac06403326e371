using System.Diagnostics;
using System.Text;
using Confluent.Kafka;
using Confluent.Kafka.Admin;

namespace Narad.Kafka.Tests.Producing;

/// <summary>What is too large fails alone. That a broker refuses a whole batch only real Kafka shows: the embedded one checks no sizes.</summary>
public sealed class BatchRefusalTests
{
    [SkippableTheory, Trait("Promise", "S6")]
    [InlineData("Embedded")]
    [InlineData("Kafka")]
    public async Task A_message_above_the_local_limit_fails_alone_and_at_once(string where)
    {
        await using var sending = await Sending.ConnectAsync(where, options => options.MaxMessageBytes = 10_000);
        var topic = Sending.NewTopic();

        var before = sending.SendAsync(topic, "before", "k").AsTask();
        var large = sending.SendAsync(topic, new byte[20_000], "k").AsTask();
        var after = sending.SendAsync(topic, "after", "k").AsTask();

        var failure = (await large.Invoking(send => send).Should().ThrowAsync<KafkaSendException>()).Which;
        failure.Reason.Should().Be(nameof(ErrorCode.MsgSizeTooLarge));
        failure.MayHaveBeenWritten.Should().BeFalse();
        failure.Message.Should().Contain(topic).And.Contain("key k").And.Contain("too large");
        (await after).Offset.Should().Be((await before).Offset + 1);
    }

    [SkippableTheory, Trait("Promise", "S6")]
    [InlineData(1)]
    [InlineData(3)]
    [Trait("Trap", "batch-refused-whole")]
    public async Task Of_messages_sent_together_only_the_one_above_the_topics_limit_fails_and_the_others_keep_their_order(int partitions)
    {
        Skip.If(Sending.RealKafka is null, "NARAD_TEST_KAFKA names no broker.");
        await using var sending = await Sending.ConnectAsync("Kafka", options => options.Linger = TimeSpan.FromMilliseconds(50));
        var topic = await CreateAsync(partitions, maxMessageBytes: 10_000);
        var other = Sending.NewTopic();

        var sends = new List<Task<SendResult>>();
        var others = new List<Task<SendResult>>();
        for (var i = 0; i < 300; i++)
        {
            sends.Add(sending.SendAsync(topic, $"{i} ".PadRight(i == 150 ? 50_000 : 1000, '.'), $"key{i % 10}").AsTask());
            others.Add(sending.SendAsync(other, $"{i} ", $"key{i % 10}").AsTask());
        }

        await Task.WhenAll(sends.Concat(others)).ContinueWith(_ => { }, TaskScheduler.Default).WaitAsync(Sending.Timeout);

        var failed = sends.Where(send => send.IsFaulted).ToList();
        failed.Should().ContainSingle().Which.Should().BeSameAs(sends[150]);
        var failure = sends[150].Exception!.InnerException.Should().BeOfType<KafkaSendException>().Which;
        failure.Reason.Should().Be(nameof(ErrorCode.MsgSizeTooLarge));
        failure.Message.Should().Contain(topic).And.Contain("key0").And.Contain("max.message.bytes");
        others.Should().OnlyContain(send => send.IsCompletedSuccessfully);
        AssertInOrder(sending.ReadAll(topic, 299), 299);
        AssertInOrder(sending.ReadAll(other, 300), 300);

        // What was learned holds: later bursts are not refused any more.
        var later = Enumerable.Range(1000, 200).Select(i => sending.SendAsync(topic, $"{i} ".PadRight(1000, '.'), $"key{i % 10}").AsTask()).ToList();
        await Task.WhenAll(later).WaitAsync(Sending.Timeout);
        AssertInOrder(sending.ReadAll(topic, 499), 499);
    }

    [SkippableFact, Trait("Promise", "S6")]
    public async Task What_is_sent_while_a_batch_is_being_refused_does_not_overtake_it()
    {
        Skip.If(Sending.RealKafka is null, "NARAD_TEST_KAFKA names no broker.");
        await using var sending = await Sending.ConnectAsync("Kafka", options => options.Linger = TimeSpan.FromMilliseconds(1));
        var topic = await CreateAsync(partitions: 1, maxMessageBytes: 20_000);

        // A burst that becomes one batch above the limit, and small ones behind it that are queued or under way when it is refused.
        var sends = new List<Task<SendResult>> { sending.SendAsync(topic, "-1 ", "key0").AsTask() };
        await sends[0];
        for (var round = 0; round < 1000; round++)
        {
            var burst = round % 250 == 100 ? 60 : 2;
            for (var i = 0; i < burst; i++)
            {
                sends.Add(sending.SendAsync(topic, $"{sends.Count} ".PadRight(500, '.'), $"key{sends.Count % 3}").AsTask());
            }

            var pause = Stopwatch.StartNew();
            while (pause.Elapsed < TimeSpan.FromMilliseconds(0.2))
            {
                Thread.SpinWait(100);
            }
        }

        await Task.WhenAll(sends).WaitAsync(Sending.Timeout);
        AssertInOrder(sending.ReadAll(topic, sends.Count), sends.Count);
    }

    [Fact, Trait("Promise", "S6")]
    public async Task Behind_a_batch_that_is_refused_unforeseen_only_what_is_on_its_way_can_overtake_and_that_is_logged()
    {
        // One request of five messages at a time, each answered after a while: when the refusal comes all that follows is in the client, which continues with
        // the next request at once. No more than that one may be written before the refused messages.
        using var broker = EmbeddedBroker.Start();
        broker.CreateTopic("t", 1);
        var options = new KafkaOptions { Mode = KafkaMode.Embedded, EmbeddedBroker = broker, Linger = TimeSpan.Zero };
        options.ClientProperties["max.in.flight.requests.per.connection"] = "1";
        options.ClientProperties["batch.num.messages"] = "5";
        using var loggers = new Queues();
        await using var sending = await Sending.ConnectAsync(options, loggers);
        await sending.SendAsync("t", "first", "k");
        broker.SetLatency(TimeSpan.FromSeconds(3));
        broker.FailNext(KafkaRequest.Produce, ErrorCode.MsgSizeTooLarge);

        // The refusal is acted upon while the next request is on its way, which is long enough for a busy machine; nothing else has to wait as long.
        var sends = Enumerable.Range(0, 40).Select(i => sending.SendAsync("t", $"{i}", "k").AsTask()).ToList();
        await Waiting.Until(() => loggers.Written.Any(queue => queue.Contains("refused a batch of topic t")), "the batch is refused");
        broker.SetLatency(TimeSpan.Zero);
        await Task.WhenAll(sends).WaitAsync(Sending.Timeout);

        var read = sending.ReadAll("t", 41).Skip(1).Select(result => int.Parse(Encoding.UTF8.GetString(result.Message.Value!))).ToList();
        read.Should().HaveCount(40).And.OnlyHaveUniqueItems();
        var overtaken = read.IndexOf(0);
        overtaken.Should().BeLessThanOrEqualTo(5);
        read.Skip(overtaken).Should().BeInAscendingOrder();
        loggers.Written.Should().Contain(queue => queue.Contains("refused a batch of topic t"));
        loggers.Written.Any(queue => queue.Contains("Order within topic t may be inverted")).Should().Be(overtaken > 0);
    }

    [SkippableFact, Trait("Promise", "S6")]
    public async Task A_limit_that_is_lowered_later_is_learned_from_the_first_refused_batch()
    {
        Skip.If(Sending.RealKafka is null, "NARAD_TEST_KAFKA names no broker.");
        await using var sending = await Sending.ConnectAsync("Kafka", options => options.Linger = TimeSpan.FromMilliseconds(50));
        var topic = await CreateAsync(partitions: 1, maxMessageBytes: 1_048_588);
        await sending.SendAsync(topic, "-1 ", "key0");
        await LimitAsync(topic, 10_000);

        var sends = Enumerable.Range(0, 100).Select(i => sending.SendAsync(topic, $"{i} ".PadRight(i == 50 ? 50_000 : 1000, '.'), "key0").AsTask()).ToList();
        await Task.WhenAll(sends).ContinueWith(_ => { }, TaskScheduler.Default).WaitAsync(Sending.Timeout);

        sends.Where(send => send.IsFaulted).Should().ContainSingle().Which.Should().BeSameAs(sends[50]);
        var read = sending.ReadAll(topic, 100).Where(result => result.Message.Key is not null).ToList();   // without the probe's
        AssertInOrder(read, 100);
    }

    private static void AssertInOrder(List<ConsumeResult<byte[]?, byte[]?>> read, int count)
    {
        read.Should().HaveCount(count);
        foreach (var key in read.GroupBy(result => Encoding.UTF8.GetString(result.Message.Key!)))
        {
            key.Select(result => int.Parse(Encoding.UTF8.GetString(result.Message.Value!).Split(' ')[0])).Should().BeInAscendingOrder()
                .And.OnlyHaveUniqueItems();
        }
    }

    // Done when a batch above it is refused.
    private static async Task LimitAsync(string topic, int maxMessageBytes)
    {
        using var admin = new AdminClientBuilder(new AdminClientConfig { BootstrapServers = Sending.RealKafka }).Build();
        var resource = new ConfigResource { Type = ResourceType.Topic, Name = topic };
        var entry = new ConfigEntry { Name = "max.message.bytes", Value = $"{maxMessageBytes}", IncrementalOperation = AlterConfigOpType.Set };
        await admin.IncrementalAlterConfigsAsync(new() { [resource] = [entry] });
        using var probe = new ProducerBuilder<Null, byte[]>(new ProducerConfig { BootstrapServers = Sending.RealKafka }).Build();
        var until = DateTime.UtcNow + Sending.Timeout;
        while (DateTime.UtcNow < until)
        {
            try
            {
                await probe.ProduceAsync(new Confluent.Kafka.TopicPartition(topic, 0), new() { Value = new byte[maxMessageBytes + 1000] });
            }
            catch (ProduceException<Null, byte[]> exception) when (exception.Error.Code == ErrorCode.MsgSizeTooLarge)
            {
                return;
            }
        }

        throw new TimeoutException("The limit was not lowered in time.");
    }

    private static async Task<string> CreateAsync(int partitions, int maxMessageBytes)
    {
        var topic = Sending.NewTopic();
        using var admin = new AdminClientBuilder(new AdminClientConfig { BootstrapServers = Sending.RealKafka }).Build();
        await admin.CreateTopicsAsync(
            [new TopicSpecification
            {
                Name = topic, NumPartitions = partitions, ReplicationFactor = 1, Configs = new() { ["max.message.bytes"] = $"{maxMessageBytes}" },
            }]);
        return topic;
    }
}
