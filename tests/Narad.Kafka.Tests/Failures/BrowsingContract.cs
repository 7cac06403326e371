using System.Diagnostics;
using System.Globalization;
using System.Text;
using Confluent.Kafka;
using Confluent.Kafka.Admin;
using Narad.Kafka.Failures;
using Narad.Kafka.Shared;
using Narad.Kafka.Tests.Consuming;

namespace Narad.Kafka.Tests.Failures;

/// <summary>Dead letters are found, shown, counted and deleted.</summary>
[Trait("Promise", "S25")]
public abstract class BrowsingContract<TBroker>(TBroker broker) : IClassFixture<TBroker>
    where TBroker : TestBroker
{
    private sealed record Order(string Id);

    [SkippableFact]
    public async Task A_dead_letter_says_what_the_message_was_where_it_came_from_and_why_it_is_there()
    {
        var (topic, group) = (await broker.CreateTopicAsync(2), broker.NewGroup());
        var sentAt = DateTimeOffset.FromUnixTimeMilliseconds(DateTimeOffset.UtcNow.AddHours(-1).ToUnixTimeMilliseconds());
        byte[]?[] values = [Encoding.UTF8.GetBytes("""{"id":"o-1"}"""), [0xFF, 0x00], []];
        foreach (var value in values)
        {
            await broker.SendRawAsync(topic, 1, new Message<byte[]?, byte[]?>
            {
                Key = Encoding.UTF8.GetBytes("customer-7"),
                Value = value,
                Headers = new Headers { { "origin", Encoding.UTF8.GetBytes("import") } },
                Timestamp = new Timestamp(sentAt),
            });
        }

        await using var kafka = await broker.StartAsync(group, static options => options.TopicCreation = TopicCreation.IfMissing);
        await kafka.SubscribeAsync<Order>(topic, static (_, _, _) => throw new InvalidOperationException("no stock"), configure: static s =>
            s.DeadLetter.Enabled = true);
        await broker.CommittedReaches(group, topic, 1, 3);

        var letters = await AllAsync(kafka.DeadLetters.BrowseAsync($"{topic}-dlt"));

        letters.Should().HaveCount(3);
        var first = letters[0];
        first.Position.Should().Be(new TopicPartitionOffsetId($"{topic}-dlt", 1, 0));
        first.Should().BeEquivalentTo(new
        {
            Key = MessageKey.From("customer-7"), SourceTopic = topic, SourcePartition = 1, SourceOffset = 0L, SourceTime = sentAt, Group = group, Attempts = 0,
            ExceptionType = typeof(InvalidOperationException).FullName, ExceptionMessage = "no stock", Redriven = (string?)null,
        });
        first.ExceptionStack.Should().Contain(nameof(A_dead_letter_says_what_the_message_was_where_it_came_from_and_why_it_is_there));
        first.Time.Should().BeAfter(sentAt.AddMinutes(30));
        first.Headers.GetText("origin").Should().Be("import");
        first.Value!.Value.ToArray().Should().Equal(values[0]);
        (await first.ReadAsync<Order>()).Should().Be(new Order("o-1"));
        (await first.ReadAsync<string>()).Should().Be("""{"id":"o-1"}""");
        var poison = letters.Single(letter => letter.Position.Offset == 1);
        poison.ExceptionType.Should().Be(typeof(MessageDeserializationException).FullName);
        (await poison.Awaiting(letter => letter.ReadAsync<Order>().AsTask()).Should().ThrowAsync<MessageDeserializationException>())
            .WithMessage($"*{topic}[1]@1*");
        letters[2].Value!.Value.Length.Should().Be(0, "an empty value is none that is missing");
    }

    [SkippableFact]
    public async Task A_filter_lets_through_what_fits_all_that_it_says_and_counting_agrees()
    {
        await using var kafka = Service();
        var dead = await DeadLetterWriter.CreateAsync(broker, kafka, partitions: 2);
        var began = DateTimeOffset.FromUnixTimeMilliseconds(DateTimeOffset.UtcNow.AddHours(-1).ToUnixTimeMilliseconds());   // younger than retention
        for (var n = 0; n < 10; n++)
        {
            var sent = new MessageHeaders().Add("tenant", n % 2 == 0 ? "even" : "odd");
            if (n == 7)
            {
                sent.Add("seventh", (byte[]?)null);
            }

            Exception error = n < 4 ? new TimeoutException()
                : new MessageDeserializationException(new MessageContext { Topic = "t" }, typeof(int), "it is not");
            await dead.WriteAsync(n % 2, n == 5 ? null
                : $"k{n}", $"{n}", FailureHeaders.For(sent, isRetryRecord: false, dead.Origin(n, n < 6 ? "billing" : "mail"), retry: n, due: null, error),
                    began.AddMinutes(n));
        }

        await dead.WriteAsync(0, "foreign", "10", [], began.AddMinutes(10));

        await Finds(null, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10);
        await Finds(new DeadLetterFilter(), 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10);
        await Finds(new DeadLetterFilter { From = began.AddMinutes(3), Until = began.AddMinutes(6) }, 3, 4, 5);
        await Finds(new DeadLetterFilter { ExceptionType = "System.TimeoutException" }, 0, 1, 2, 3);
        await Finds(new DeadLetterFilter { ExceptionType = "TimeoutException" }, 0, 1, 2, 3);
        await Finds(new DeadLetterFilter { ExceptionType = "outException" });
        await Finds(new DeadLetterFilter { Key = "k3" }, 3);
        await Finds(new DeadLetterFilter { Key = MessageKey.None }, 5);
        await Finds(new DeadLetterFilter { Header = "seventh" }, 7);
        await Finds(new DeadLetterFilter { Header = "tenant", HeaderValue = "odd" }, 1, 3, 5, 7, 9);
        await Finds(new DeadLetterFilter { Header = "seventh", HeaderValue = "" });
        await Finds(new DeadLetterFilter { Group = "mail" }, 6, 7, 8, 9);
        await Finds(new DeadLetterFilter { SourceTopic = dead.Source }, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9);
        await Finds(new DeadLetterFilter { Where = letter => letter.Attempts > 7 }, 8, 9);
        await Finds(new DeadLetterFilter { Group = "mail", Header = "tenant", HeaderValue = "even", From = began.AddMinutes(7) }, 8);

        async Task Finds(DeadLetterFilter? filter, params int[] expected)
        {
            var found = await AllAsync(kafka.DeadLetters.BrowseAsync(dead.Topic, filter));
            found.Select(Number).Order().Should().Equal(expected, "{0}", filter);
            (await kafka.DeadLetters.CountAsync(dead.Topic, filter)).Should().Be(expected.Length);
        }
    }

    [SkippableFact]
    public async Task Pages_go_on_where_the_one_before_ended_also_in_another_process()
    {
        await using var kafka = Service();
        var dead = await DeadLetterWriter.CreateAsync(broker, kafka);
        await dead.WriteAsync(25);

        foreach (var (filter, expected) in new[] { (null, 25), (new DeadLetterFilter { Header = "tenant", HeaderValue = "odd" }, 12) })
        {
            var (seen, after, pages) = (new List<int>(), (string?)null, 0);
            do
            {
                await using var other = Service();
                var page = await other.DeadLetters.GetPageAsync(dead.Topic, filter, size: 4, after);
                page.Items.Should().HaveCountLessThanOrEqualTo(4);
                seen.AddRange(page.Items.Select(Number));
                after = page.Continuation;
                pages++;
            }
            while (after is not null);

            seen.Should().HaveCount(expected).And.OnlyHaveUniqueItems();
            pages.Should().BeLessThanOrEqualTo((expected / 4) + 2);
        }

        var whole = await kafka.DeadLetters.GetPageAsync(dead.Topic, size: 10_000);
        whole.Items.Should().HaveCount(25);
        whole.Items.Select(letter => (letter.Position.Partition * 1_000) + letter.Position.Offset).Should().BeInAscendingOrder();
        whole.Continuation.Should().BeNull();
        whole.Positions.Values.Sum().Should().Be(25);

        var first = await kafka.DeadLetters.GetPageAsync(dead.Topic, size: 20);
        await kafka.DeadLetters.DeleteAllAsync(dead.Topic);
        (await kafka.DeadLetters.GetPageAsync(dead.Topic, after: first.Continuation)).Should()
            .BeEquivalentTo(new { Items = Array.Empty<DeadLetter>(), Continuation = (string?)null });
        (await kafka.DeadLetters.GetPageAsync(dead.Topic, size: 1)).Items.Should().BeEmpty();
    }

    [SkippableFact]
    public async Task What_cannot_be_a_page_is_refused_with_what_is_wrong()
    {
        await using var kafka = Service();
        var dead = await DeadLetterWriter.CreateAsync(broker, kafka);
        await kafka.DeadLetters.Awaiting(letters => letters.GetPageAsync(dead.Topic, size: 0)).Should().ThrowAsync<ArgumentOutOfRangeException>();
        await kafka.DeadLetters.Awaiting(letters => letters.GetPageAsync(dead.Topic, size: 10_001)).Should().ThrowAsync<ArgumentOutOfRangeException>();
        foreach (var forged in new[] { "", "x", $"{dead.Source}@0:1", $"{dead.Topic}@", $"{dead.Topic}@0", $"{dead.Topic}@0:-1", $"{dead.Topic}@0:1,0:2",
            $"{dead.Topic}@0:99999999999999999999" })
        {
            await kafka.DeadLetters.Awaiting(letters => letters.GetPageAsync(dead.Topic, after: forged)).Should().ThrowAsync<ArgumentException>()
                .WithMessage("*no continuation*");
        }

        (await kafka.DeadLetters.GetPageAsync(dead.Topic, after: $"{dead.Topic}@77:1,0:9999")).Items.Should().BeEmpty();
        await kafka.DeadLetters.Awaiting(letters => letters.CountAsync(dead.Topic, new DeadLetterFilter { HeaderValue = "x" })).Should()
            .ThrowAsync<ArgumentException>().WithMessage("*Header's name*");
        await kafka.DeadLetters.Awaiting(letters =>
            letters.CountAsync(dead.Topic, new DeadLetterFilter { From = DateTimeOffset.UnixEpoch, Until = DateTimeOffset.UnixEpoch })).Should()
                .ThrowAsync<ArgumentException>();
    }

    [SkippableFact]
    public async Task A_topic_that_does_not_exist_is_named_and_not_created()
    {
        await using var kafka = Service();
        var missing = RealKafka.NewName("missing") + "-dlt";
        var letters = kafka.DeadLetters;
        (await letters.Awaiting(all => AllAsync(all.BrowseAsync(missing))).Should().ThrowAsync<KafkaTopicException>())
            .WithMessage($"*{missing}*does not exist*");
        await letters.Awaiting(all => all.GetPageAsync(missing)).Should().ThrowAsync<KafkaTopicException>();
        await letters.Awaiting(all => all.CountAsync(missing)).Should().ThrowAsync<KafkaTopicException>();
        await letters.Awaiting(all => all.GetAsync(new TopicPartitionOffsetId(missing, 0, 0))).Should().ThrowAsync<KafkaTopicException>();
        await letters.Awaiting(all => all.RedriveAsync(missing)).Should().ThrowAsync<KafkaTopicException>();
        await letters.Awaiting(all => all.DeleteAllAsync(missing)).Should().ThrowAsync<KafkaTopicException>();
        (await kafka.Topics.GetPartitionCountsAsync([missing])).Should().BeEmpty();
    }

    [SkippableFact]
    public async Task One_is_peeked_at_by_its_place_and_where_there_is_none_that_is_said()
    {
        await using var kafka = Service();
        var dead = await DeadLetterWriter.CreateAsync(broker, kafka);
        await dead.WriteAsync(9);

        Number((await kafka.DeadLetters.GetAsync(new TopicPartitionOffsetId(dead.Topic, 2, 1)))!).Should().Be(5);
        (await kafka.DeadLetters.GetAsync(new TopicPartitionOffsetId(dead.Topic, 2, 3))).Should().BeNull();
        (await kafka.DeadLetters.GetAsync(new TopicPartitionOffsetId(dead.Topic, 3, 0))).Should().BeNull();
        await broker.DeleteRecordsAsync(dead.Topic, 2, 2);
        (await kafka.DeadLetters.GetAsync(new TopicPartitionOffsetId(dead.Topic, 2, 1))).Should().BeNull();
    }

    [SkippableFact]
    public async Task Only_what_is_named_is_deleted_and_only_from_what_is_known_to_hold_dead_letters()
    {
        await using var kafka = Service();
        var dead = await DeadLetterWriter.CreateAsync(broker, kafka);
        await dead.WriteAsync(12);
        await broker.SendAsync(dead.Source, 0, 3);
        TopicPartitionId At(int partition) => new(dead.Topic, partition);

        (await kafka.DeadLetters.DeleteAsync(dead.Topic, new Dictionary<TopicPartitionId, long> { [At(0)] = 3, [At(1)] = 0 })).Should().Be(3);
        (await AllAsync(kafka.DeadLetters.BrowseAsync(dead.Topic))).Select(Number).Order().Should().Equal(1, 2, 4, 5, 7, 8, 9, 10, 11);
        (await kafka.DeadLetters.CountAsync(dead.Topic)).Should().Be(9);
        (await kafka.DeadLetters.DeleteAsync(dead.Topic, new Dictionary<TopicPartitionId, long> { [At(0)] = 3 })).Should().Be(0);

        await kafka.DeadLetters.Awaiting(letters => letters.DeleteAsync(dead.Topic, new Dictionary<TopicPartitionId, long> { [At(0)] = 4, [At(1)] = 5 }))
            .Should().ThrowAsync<KafkaTopicException>().WithMessage("*Nothing was deleted*no offset 5*");
        await kafka.DeadLetters.Awaiting(letters => letters.DeleteAsync(dead.Topic, new Dictionary<TopicPartitionId, long> { [At(7)] = 0 })).Should()
            .ThrowAsync<KafkaTopicException>();
        await kafka.DeadLetters.Awaiting(letters => letters.DeleteAsync(dead.Topic, new Dictionary<TopicPartitionId, long> { [new(dead.Source, 0)] = 1 }))
            .Should().ThrowAsync<ArgumentException>();
        (await kafka.DeadLetters.CountAsync(dead.Topic)).Should().Be(9);

        (await kafka.DeadLetters.Awaiting(letters => letters.DeleteAllAsync(dead.Source)).Should().ThrowAsync<ArgumentException>())
            .WithMessage($"*{dead.Source}*-dlt*anyTopic*");
        (await kafka.DeadLetters.CountAsync(dead.Source)).Should().Be(3);
        (await kafka.DeadLetters.DeleteAllAsync(dead.Source, anyTopic: true)).Should().Be(3);
        (await kafka.DeadLetters.DeleteAllAsync(dead.Topic)).Should().Be(9);
        (await AllAsync(kafka.DeadLetters.BrowseAsync(dead.Topic))).Should().BeEmpty();
        (await kafka.Topics.GetPartitionCountsAsync([dead.Topic])).Should().ContainKey(dead.Topic);
    }

    [SkippableFact]
    public async Task A_subscription_s_dead_letter_topic_of_another_name_is_known_to_be_one()
    {
        var (topic, deadLetters) = (await broker.CreateTopicAsync(1), await broker.CreateTopicAsync(1));
        await using var kafka = await broker.StartAsync(broker.NewGroup());
        await kafka.SubscribeAsync<string>(topic, static (_, _, _) => Task.CompletedTask, configure: s =>
        {
            s.DeadLetter.Enabled = true;
            s.DeadLetter.TopicName = deadLetters;
        });

        (await kafka.DeadLetters.DeleteAllAsync(deadLetters)).Should().Be(0);
    }

    [SkippableFact]
    public async Task Reading_ends_when_it_is_cancelled_and_when_nobody_wants_more()
    {
        await using var kafka = Service();
        var dead = await DeadLetterWriter.CreateAsync(broker, kafka);
        await dead.WriteAsync(9);
        using var cancelling = new CancellationTokenSource();
        var reading = async () =>
        {
            await foreach (var letter in kafka.DeadLetters.BrowseAsync(dead.Topic, cancellationToken: cancelling.Token))
            {
                await cancelling.CancelAsync();
            }
        };

        await reading.Should().ThrowAsync<OperationCanceledException>();
        await foreach (var letter in kafka.DeadLetters.BrowseAsync(dead.Topic))
        {
            break;
        }
    }

    protected static async Task<List<DeadLetter>> AllAsync(IAsyncEnumerable<DeadLetter> letters)
    {
        var all = new List<DeadLetter>();
        await foreach (var letter in letters)
        {
            all.Add(letter);
        }

        return all;
    }

    protected static int Number(DeadLetter letter) => int.Parse(Encoding.UTF8.GetString(letter.Value!.Value.Span), CultureInfo.InvariantCulture);

    protected KafkaService Service(Action<KafkaOptions>? configure = null) => new(broker.Options(configure));
}

public sealed class BrowsingOnEmbedded(EmbeddedTestBroker broker) : BrowsingContract<EmbeddedTestBroker>(broker)
{
    [Fact]
    public async Task A_broker_that_goes_away_while_dead_letters_are_read_is_not_waited_for_beyond_the_time_to_connect()
    {
        using var own = EmbeddedBroker.Start();
        await using var kafka = new KafkaService(new KafkaOptions { Mode = KafkaMode.Embedded, EmbeddedBroker = own,
            ConnectTimeout = TimeSpan.FromSeconds(1) });
        await kafka.ConnectProducerAsync();
        await kafka.Topics.CreateIfNotExistsAsync([new TopicSpec("orders-dlt", 2)]);
        await kafka.SendAsync("orders-dlt", "0", options: new SendOptions { Partition = 0 });
        await kafka.SendAsync("orders-dlt", "1", options: new SendOptions { Partition = 1 });
        using var stalls = new Stalls();
        var watch = new Stopwatch();
        var reading = async () =>
        {
            await foreach (var letter in kafka.DeadLetters.BrowseAsync("orders-dlt"))
            {
                own.StopBroker();
                watch.Start();
            }
        };

        (await reading.Should().ThrowAsync<KafkaTopicException>()).WithMessage("orders-dlt[1] could not be read*1 s*");
        watch.Elapsed.Should().BeLessThan(TimeSpan.FromSeconds(8) + stalls.Allowance);
        watch.Restart();
        await kafka.DeadLetters.Awaiting(letters => letters.CountAsync("orders-dlt")).Should().ThrowAsync<KafkaTopicException>();
        watch.Elapsed.Should().BeLessThan(TimeSpan.FromSeconds(5) + stalls.Allowance);
    }
}

public sealed class DeletingOnEmbedded
{
    [Fact]
    [Trait("Promise", "S25")]
    public async Task Deleting_dead_letters_makes_room_for_others_where_the_embedded_broker_was_full_of_them()
    {
        await using var kafka = new KafkaService(new KafkaOptions { Mode = KafkaMode.Embedded, MaxMessageBytes = 1_000_000 });
        await kafka.ConnectProducerAsync();
        await kafka.Topics.CreateIfNotExistsAsync([new TopicSpec("orders-dlt", 1)]);
        var value = new byte[900_000];
        for (var n = 0; n < 4; n++)
        {
            await kafka.SendAsync("orders-dlt", value);
        }

        var waiting = kafka.SendAsync("orders-dlt", value).AsTask();
        (await Task.WhenAny(waiting, Task.Delay(TimeSpan.FromMilliseconds(300)))).Should().NotBe(waiting);
        (await kafka.DeadLetters.DeleteAllAsync("orders-dlt")).Should().Be(4);

        (await waiting.WaitAsync(Waiting.Deadline)).Offset.Should().Be(4);
    }
}

public sealed class BrowsingOnKafka(KafkaTestBroker broker) : BrowsingContract<KafkaTestBroker>(broker)
{
    private readonly KafkaTestBroker _broker = broker;

    [SkippableFact]
    public async Task Reading_ends_although_what_stands_last_are_no_messages_and_leaves_out_what_was_aborted()
    {
        await using var kafka = Service();
        var dead = await DeadLetterWriter.CreateAsync(_broker, kafka, partitions: 1);
        await dead.WriteAsync(2);
        using var producer = new ProducerBuilder<byte[], byte[]>(
            new ProducerConfig { BootstrapServers = _broker.Brokers, TransactionalId = RealKafka.NewName("tx") }).SetLogHandler((_, _) => { }).Build();
        producer.InitTransactions(TimeSpan.FromSeconds(20));
        foreach (var (n, commit) in new[] { ("2", true), ("3", false) })
        {
            producer.BeginTransaction();
            producer.Produce(new TopicPartition(dead.Topic, 0), new Message<byte[], byte[]> { Value = Encoding.UTF8.GetBytes(n) });
            if (commit)
            {
                producer.CommitTransaction(TimeSpan.FromSeconds(20));
            }
            else
            {
                producer.Flush(TimeSpan.FromSeconds(20));
                producer.AbortTransaction(TimeSpan.FromSeconds(20));
            }
        }

        (await AllAsync(kafka.DeadLetters.BrowseAsync(dead.Topic))).Select(Number).Should().Equal(0, 1, 2);
        var page = await kafka.DeadLetters.GetPageAsync(dead.Topic, size: 3);
        page.Items.Should().HaveCount(3);
        page.Continuation.Should().NotBeNull();
        (await kafka.DeadLetters.GetPageAsync(dead.Topic, size: 3, after: page.Continuation)).Should()
            .BeEquivalentTo(new { Items = Array.Empty<DeadLetter>(), Continuation = (string?)null });
        (await kafka.DeadLetters.GetAsync(new TopicPartitionOffsetId(dead.Topic, 0, 4))).Should().BeNull("it was aborted");
        (await kafka.DeadLetters.RedriveAsync(dead.Topic, new RedriveOptions { DryRun = true })).Skipped.Should()
            .Equal(new Dictionary<SkippedReason, long> { [SkippedReason.NoOrigin] = 1 });

        producer.BeginTransaction();
        producer.Produce(new TopicPartition(dead.Topic, 0), new Message<byte[], byte[]> { Value = Encoding.UTF8.GetBytes("4") });
        producer.Flush(TimeSpan.FromSeconds(20));
        await dead.WriteAsync(1, from: 5);
        (await AllAsync(kafka.DeadLetters.BrowseAsync(dead.Topic))).Select(Number).Should()
            .Equal([0, 1, 2], "what stands behind an open transaction cannot be read yet");
        producer.AbortTransaction(TimeSpan.FromSeconds(20));
        await Waiting.Until(() => kafka.DeadLetters.GetAsync(new TopicPartitionOffsetId(dead.Topic, 0, 7)).GetAwaiter()
            .GetResult() is not null, "the transaction is over");
        (await kafka.DeadLetters.GetAsync(new TopicPartitionOffsetId(dead.Topic, 0, 3))).Should()
            .BeNull("what stands there is no message, and the next one is another");
    }

    [SkippableFact]
    [NotInParallel("It measures the memory of the process.")]
    public async Task A_hundred_thousand_are_gone_through_in_bounded_memory()
    {
        const int Count = 100_000;
        await using var kafka = Service(static options => options.MaxBufferedBytes = 16 * 1024 * 1024);
        var dead = await DeadLetterWriter.CreateAsync(_broker, kafka);
        using (var producer = new ProducerBuilder<byte[], byte[]>(new ProducerConfig { BootstrapServers = _broker.Brokers, LingerMs = 20 })
            .SetLogHandler((_, _) => { }).Build())
        {
            var value = new byte[1_000];
            for (var n = 0; n < Count; n++)
            {
                producer.Produce(new TopicPartition(dead.Topic, n % 3),
                    new Message<byte[], byte[]> { Value = value, Headers = new Headers { { "n", BitConverter.GetBytes(n) } } });
                if (n % 10_000 == 0)
                {
                    producer.Flush(TimeSpan.FromSeconds(30));
                }
            }

            producer.Flush(TimeSpan.FromSeconds(60));
        }

        var (before, most, count) = (GC.GetTotalMemory(forceFullCollection: true), 0L, 0);
        await foreach (var letter in kafka.DeadLetters.BrowseAsync(dead.Topic))
        {
            if (++count % 20_000 == 0)
            {
                most = Math.Max(most, GC.GetTotalMemory(forceFullCollection: true) - before);
            }
        }

        count.Should().Be(Count);
        most.Should().BeLessThan(16 * 1024 * 1024);
        (await kafka.DeadLetters.CountAsync(dead.Topic)).Should().Be(Count);
        (await kafka.DeadLetters.GetPageAsync(dead.Topic, new DeadLetterFilter { Header = "n", HeaderValue = "none" })).Items.Should().BeEmpty();
    }
}
