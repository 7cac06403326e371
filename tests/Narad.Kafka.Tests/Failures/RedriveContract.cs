using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using Confluent.Kafka;
using Narad.Kafka.Failures;
using Narad.Kafka.Tests.Consuming;
using Narad.Kafka.Tests.Service;

namespace Narad.Kafka.Tests.Failures;

/// <summary>Dead letters are sent again, to the group that failed or to all, as they were, and none is lost on the way.</summary>
[Trait("Promise", "S25")]
public abstract class RedriveContract<TBroker>(TBroker broker) : IClassFixture<TBroker>
    where TBroker : TestBroker
{
    private const int PassedOverEvent = 7003;

    [SkippableFact]
    public async Task To_the_group_that_failed_goes_the_message_as_it_was_with_all_attempts_again_and_who_sent_it()
    {
        await using var kafka = Service(static options => options.ClientId = "operator");
        var dead = await DeadLetterWriter.CreateAsync(broker, kafka);
        (string? Key, string? Value)[] messages = [(null, "a"), ("", ""), ("k", null), ("größe", "{}")];
        var sent = new MessageHeaders().Add("null", (byte[]?)null).Add("empty", "").Add("bytes", [0xFF, 0xFE]).Add("retry", "7").Add("größe", "x");
        foreach (var (key, value) in messages)
        {
            await dead.WriteAsync(1, key, value, FailureHeaders.For(sent, isRetryRecord: false, dead.Origin(1), retry: 3, due: null,
                new TimeoutException("no answer")));
        }

        var began = DateTimeOffset.UtcNow.AddSeconds(-1);
        var report = await kafka.DeadLetters.RedriveAsync(dead.Topic);

        report.Should().BeEquivalentTo(new { Sent = 4L, FilteredOut = 0L, Group = $"{dead.Topic}-redrive-group" });
        report.Skipped.Should().BeEmpty();
        report.Positions.Should().Equal(new Dictionary<TopicPartitionId, long> { [new(dead.Topic, 0)] = 0, [new(dead.Topic, 1)] = 4,
            [new(dead.Topic, 2)] = 0 });
        var copies = broker.ReadAll(dead.Retry, 4);
        copies.Should().OnlyContain(copy => copy.Partition.Value == 1);
        copies.Select(copy => (Text(copy.Message.Key), Text(copy.Message.Value))).Should().Equal(messages);
        foreach (var copy in copies)
        {
            var headers = copy.Message.Headers.Select(header => (Name: header.Key, Value: header.GetValueBytes())).ToList();
            headers.Take(5).Should().BeEquivalentTo(sent.Select(header => (header.Name, header.Value)), options => options.WithStrictOrdering());
            headers.Skip(5).Select(header => header.Name).Should().Equal(
                "narad-redriven", "narad-topic", "narad-partition", "narad-offset", "narad-timestamp", "narad-group", "retry", "narad-due");
            headers.Skip(6).Take(6).Select(header => Text(header.Value)).Should().Equal(dead.Source, "1", "1001", "1700000000001", "billing", "0");
            Text(headers[5].Value).Should().MatchRegex($"""^\d\d\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d\d\dZ operator {dead.Topic}\[1\]@{copy.Offset.Value}$""");
            DateTimeOffset.FromUnixTimeMilliseconds(long.Parse(Text(headers[12].Value)!, CultureInfo.InvariantCulture)).Should().BeOnOrAfter(began)
                .And.BeOnOrBefore(DateTimeOffset.UtcNow);
            copy.Message.Timestamp.UtcDateTime.Should().BeAfter(began.UtcDateTime.AddSeconds(-1));
        }

        (await kafka.DeadLetters.CountAsync(dead.Topic)).Should().Be(4, "they stay until they are deleted");
    }

    [SkippableFact]
    public async Task To_every_group_goes_the_message_as_it_was_to_the_topic_and_partition_that_it_came_from()
    {
        await using var kafka = Service();
        var dead = await DeadLetterWriter.CreateAsync(broker, kafka, retry: false);
        await dead.WriteAsync(6);
        await dead.WriteAsync(0, "k", "6", FailureHeaders.For([], isRetryRecord: false, dead.Origin(1) with { Partition = 44 }, retry: null, due: null,
            new TimeoutException()));
        await dead.WriteAsync(2, "k", "7", new MessageHeaders().Add("narad-topic", dead.Source));

        var report = await kafka.DeadLetters.RedriveAsync(dead.Topic, new RedriveOptions { Target = RedriveTarget.EveryGroup });

        report.Sent.Should().Be(8);
        var copies = broker.ReadAll(dead.Source, 8);
        copies.Select(copy => (copy.Partition.Value, Text(copy.Message.Value))).Should().BeEquivalentTo(
            [(0, "0"), (0, "3"), (1, "1"), (1, "4"), (2, "2"), (2, "5"), (44 % 3, "6"), (2, "7")]);
        var copied = copies.Single(copy => Text(copy.Message.Value) == "4");
        copied.Message.Headers.Select(header => header.Key).Should().Equal("n", "tenant", "narad-redriven");
        Text(copied.Message.Key).Should().Be("k4");
        (await kafka.Topics.GetPartitionCountsAsync([dead.Retry])).Should().BeEmpty();
    }

    [SkippableFact]
    public async Task What_fails_once_more_says_that_it_was_redriven_and_by_whom_the_last_time()
    {
        var group = broker.NewGroup();
        await using var kafka = await broker.StartAsync(group, static options => options.ClientId = "first");
        var dead = await DeadLetterWriter.CreateAsync(broker, kafka, partitions: 1);
        await kafka.SubscribeAsync<string>(dead.Source, static (_, _, _) => throw new FormatException("still"), configure: static s =>
            s.DeadLetter.Enabled = true);
        await dead.WriteAsync(1);
        await using var other = Service(static options => options.ClientId = "second");

        foreach (var (service, count) in new[] { ((IKafkaService)kafka, 2), (other, 3) })
        {
            var latest = await service.DeadLetters.GetAsync(new TopicPartitionOffsetId(dead.Topic, 0, count - 2));
            await service.DeadLetters.RedriveAsync(latest!, RedriveTarget.EveryGroup);
            await broker.CommittedReaches(group, dead.Source, 0, count - 1);
        }

        var letter = (await kafka.DeadLetters.GetAsync(new TopicPartitionOffsetId(dead.Topic, 0, 2)))!;
        letter.Redriven.Should().Contain($" second {dead.Topic}[0]@1");
        letter.Should().BeEquivalentTo(new { ExceptionType = typeof(FormatException).FullName, SourceTopic = dead.Source, SourceOffset = 1L, Group = group });
        letter.Headers.Select(header => header.Name).Should().StartWith(["n", "tenant", "narad-redriven", "narad-topic"]).And.OnlyHaveUniqueItems();
    }

    [SkippableFact]
    public async Task One_is_sent_by_itself_and_moves_no_progress()
    {
        await using var kafka = Service();
        var dead = await DeadLetterWriter.CreateAsync(broker, kafka);
        await dead.WriteAsync(6);
        var letter = (await kafka.DeadLetters.GetAsync(new TopicPartitionOffsetId(dead.Topic, 1, 1)))!;

        var written = await kafka.DeadLetters.RedriveAsync(letter);

        (written.Topic, written.Partition, written.Offset).Should().Be((dead.Retry, 1, 0));
        dead.Numbers(dead.Retry, 1).Should().Equal(4);
        (await kafka.DeadLetters.RedriveAsync(dead.Topic)).Sent.Should().Be(6);

        await dead.WriteAsync(0, "k", "foreign", []);
        var foreign = (await kafka.DeadLetters.GetAsync(new TopicPartitionOffsetId(dead.Topic, 0, 2)))!;
        (await kafka.DeadLetters.Awaiting(letters => letters.RedriveAsync(foreign)).Should().ThrowAsync<InvalidOperationException>())
            .WithMessage($"*{dead.Topic}[0]@2*narad-topic*");
    }

    [SkippableFact]
    public async Task Asked_for_again_it_goes_on_where_it_stood_and_another_filter_has_a_progress_of_its_own()
    {
        await using var kafka = Service();
        var dead = await DeadLetterWriter.CreateAsync(broker, kafka);
        await dead.WriteAsync(10);
        var odd = new RedriveOptions { Filter = new DeadLetterFilter { Header = "tenant", HeaderValue = "odd" }, BatchSize = 2 };

        (await kafka.DeadLetters.RedriveAsync(dead.Topic, odd)).Should().BeEquivalentTo(new { Sent = 5L, FilteredOut = 5L });
        (await kafka.DeadLetters.RedriveAsync(dead.Topic, odd)).Should().BeEquivalentTo(new { Sent = 0L, FilteredOut = 0L });
        await dead.WriteAsync(4, from: 10);
        await using (var other = Service())
        {
            (await other.DeadLetters.RedriveAsync(dead.Topic, odd)).Should().BeEquivalentTo(new { Sent = 2L, FilteredOut = 2L });
        }

        dead.Numbers(dead.Retry, 7).Should().Equal(1, 3, 5, 7, 9, 11, 13);
        (await kafka.DeadLetters.RedriveAsync(dead.Topic, new RedriveOptions { Filter = new DeadLetterFilter { Key = "k0" } })).Sent.Should().Be(1);
        (await kafka.DeadLetters.RedriveAsync(dead.Topic, odd with { FromStart = true })).Sent.Should().Be(7);
        (await kafka.DeadLetters.RedriveAsync(dead.Topic, odd)).Sent.Should().Be(0);

        var chosen = new RedriveOptions { Filter = new DeadLetterFilter { Where = letter => letter.SourceOffset == 1_004 } };
        await kafka.DeadLetters.Awaiting(letters => letters.RedriveAsync(dead.Topic, chosen)).Should().ThrowAsync<ArgumentException>()
            .WithMessage("*needs RedriveOptions.Name*");
        var report = await kafka.DeadLetters.RedriveAsync(dead.Topic, chosen with { Name = "by hand" });
        report.Should().BeEquivalentTo(new { Sent = 1L, Group = $"{dead.Topic}-redrive-by hand" });
        dead.Numbers(dead.Retry, 16).Should().BeEquivalentTo([0, 1, 1, 3, 3, 4, 5, 5, 7, 7, 9, 9, 11, 11, 13, 13]);
    }

    [SkippableFact]
    public async Task One_from_the_start_that_crashed_goes_on_where_it_crashed_and_not_where_the_one_before_had_ended()
    {
        await using var kafka = Service();
        var dead = await DeadLetterWriter.CreateAsync(broker, kafka);
        await dead.WriteAsync(12);
        var options = new RedriveOptions { BatchSize = 3 };
        (await kafka.DeadLetters.RedriveAsync(dead.Topic, options)).Sent.Should().Be(12);
        using var cancelling = new CancellationTokenSource();

        await kafka.DeadLetters.Awaiting(letters =>
            letters.RedriveAsync(dead.Topic, options with { FromStart = true }, new Progress { Then = _ => cancelling.Cancel() }, cancelling.Token)).Should()
                .ThrowAsync<OperationCanceledException>();
        await kafka.DeadLetters.RedriveAsync(dead.Topic, options);

        var copies = dead.Numbers(dead.Retry, 24);
        copies.GroupBy(number => number).Should().HaveCount(12).And.OnlyContain(sent => sent.Count() >= 2);
        copies.Should().HaveCountLessThanOrEqualTo(24 + options.BatchSize);
    }

    [SkippableFact]
    public async Task Progress_that_is_beyond_the_end_or_before_the_beginning_leaves_none_out()
    {
        await using var kafka = Service();
        var dead = await DeadLetterWriter.CreateAsync(broker, kafka, partitions: 2);
        await dead.WriteAsync(8);
        await broker.DeleteRecordsAsync(dead.Topic, 1, 2);
        broker.Commit($"{dead.Topic}-redrive-group", dead.Topic, 0, 999);
        broker.Commit($"{dead.Topic}-redrive-group", dead.Topic, 1, 1);

        (await kafka.DeadLetters.RedriveAsync(dead.Topic)).Sent.Should().Be(6);

        dead.Numbers(dead.Retry, 6).Should().Equal(0, 2, 4, 5, 6, 7);
    }

    [SkippableFact]
    public async Task A_dry_run_counts_and_does_nothing()
    {
        await using var kafka = Service(static options => options.TopicCreation = TopicCreation.IfMissing);
        var dead = await DeadLetterWriter.CreateAsync(broker, kafka, retry: false);
        await dead.WriteAsync(5);
        var seen = new Progress();
        var dry = new RedriveOptions { DryRun = true, FromStart = true };

        (await kafka.DeadLetters.RedriveAsync(dead.Topic, dry, seen)).Sent.Should().Be(5);

        seen.Latest.Should().Be(new RedriveProgress(5, 0, 0, 0));
        (await kafka.Topics.GetPartitionCountsAsync([dead.Retry])).Should().BeEmpty();
        (await kafka.Topics.GetCommittedOffsetsAsync($"{dead.Topic}-redrive-group", dead.Topic)).Should().BeEmpty();
        var every = dry with { Target = RedriveTarget.EveryGroup };
        (await kafka.DeadLetters.RedriveAsync(dead.Topic, every)).Sent.Should().Be(5);
        (await kafka.DeadLetters.CountAsync(dead.Source)).Should().Be(0);
    }

    [SkippableFact]
    public async Task A_retry_topic_that_is_missing_is_created_like_the_source_where_topics_may_be()
    {
        await using var kafka = Service(static options => options.TopicCreation = TopicCreation.IfMissing);
        var dead = await DeadLetterWriter.CreateAsync(broker, kafka, partitions: 4, retry: false);
        await dead.WriteAsync(8);

        (await kafka.DeadLetters.RedriveAsync(dead.Topic)).Sent.Should().Be(8);

        (await kafka.Topics.GetPartitionCountsAsync([dead.Retry]))[dead.Retry].Should().Be(4);
        var named = $"{dead.Source}-again";
        await kafka.Topics.CreateIfNotExistsAsync([new TopicSpec(named, 2)]);
        (await kafka.DeadLetters.RedriveAsync(dead.Topic, new RedriveOptions { RetryTopic = named })).Sent.Should().Be(8);
        broker.ReadAll(named, 8).Select(copy => copy.Partition.Value).Should().BeEquivalentTo([0, 0, 0, 0, 1, 1, 1, 1]);
    }

    [SkippableFact]
    public async Task What_cannot_be_sent_is_passed_over_and_counted_by_reason_and_stays()
    {
        var log = new LogEvents();
        await using var kafka = new KafkaService(broker.Options(), log);
        var dead = await DeadLetterWriter.CreateAsync(broker, kafka, partitions: 1);
        await dead.WriteAsync(1);
        MessageHeaders From(FailureOrigin origin) => FailureHeaders.For([], isRetryRecord: false, origin, retry: null, due: null, new TimeoutException());
        await dead.WriteAsync(0, "k", "nothing said", []);
        await dead.WriteAsync(0, "k", "half said", new MessageHeaders().Add("narad-topic", dead.Source).Add("narad-group", "billing"));
        await dead.WriteAsync(0, "k", "no group", From(dead.Origin(0, " ")));
        await dead.WriteAsync(0, "k", "no such topic", From(dead.Origin(0) with { Topic = "gone-" + dead.Source }));
        await dead.WriteAsync(0, "k", "no topic at all", From(dead.Origin(0) with { Topic = "../etc" }));
        await dead.WriteAsync(1, from: 1);

        var report = await kafka.DeadLetters.RedriveAsync(dead.Topic);

        report.Sent.Should().Be(2);
        report.Skipped.Should().BeEquivalentTo(new Dictionary<SkippedReason, long> { [SkippedReason.NoOrigin] = 3, [SkippedReason.NotAllowed] = 1,
            [SkippedReason.NoTopic] = 1 });
        report.FirstSkipped.Should().HaveCount(5).And.OnlyContain(passed => passed.Position.TopicPartition == new TopicPartitionId(dead.Topic, 0)
            && passed.Explanation.Length > 0);
        log.Count(PassedOverEvent).Should().Be(3);
        dead.Numbers(dead.Retry, 2).Should().Equal(0, 1);
        (await kafka.DeadLetters.CountAsync(dead.Topic)).Should().Be(7);

        await dead.WriteAsync(0, "k", "itself", From(dead.Origin(0) with { Topic = dead.Topic }));
        await dead.WriteAsync(0, "k", "internal", From(dead.Origin(0) with { Topic = "__consumer_offsets" }));
        (await kafka.DeadLetters.RedriveAsync(dead.Topic, new RedriveOptions { Target = RedriveTarget.EveryGroup })).Skipped.Should().BeEquivalentTo(
            new Dictionary<SkippedReason, long> { [SkippedReason.NoOrigin] = 1, [SkippedReason.NotAllowed] = 1, [SkippedReason.NoTopic] = 3 });
    }

    [SkippableFact]
    public async Task A_dead_letter_of_another_topic_goes_there_only_where_the_caller_names_that_topic()
    {
        await using var kafka = Service();
        var (dead, payments) = (await DeadLetterWriter.CreateAsync(broker, kafka, partitions: 1),
            await DeadLetterWriter.CreateAsync(broker, kafka, partitions: 1));
        var forged = FailureHeaders.For([], isRetryRecord: false, payments.Origin(0), retry: null, due: null, new TimeoutException());
        await dead.WriteAsync(0, "k", "1", forged);

        foreach (var target in Enum.GetValues<RedriveTarget>())
        {
            var refused = await kafka.DeadLetters.RedriveAsync(dead.Topic, new RedriveOptions { Target = target });
            refused.Sent.Should().Be(0);
            refused.FirstSkipped.Should().ContainSingle().Which.Should()
                .BeEquivalentTo(new { Position = new { Offset = 0L }, Reason = SkippedReason.NotAllowed });
            refused.FirstSkipped[0].Explanation.Should().Contain(payments.Source).And.Contain("SourceTopics");
            (await kafka.DeadLetters.CountAsync(payments.Source)).Should().Be(0);
            (await kafka.DeadLetters.CountAsync(payments.Retry)).Should().Be(0);
        }

        var named = new RedriveOptions { SourceTopics = [payments.Source], FromStart = true };
        (await kafka.DeadLetters.RedriveAsync(dead.Topic, named)).Sent.Should().Be(1);
        payments.Numbers(payments.Retry, 1).Should().Equal(1);
    }

    [SkippableFact]
    public async Task Headers_of_ours_that_somebody_wrote_in_front_do_not_reach_the_target_and_topics_of_copies_are_no_source()
    {
        await using var kafka = Service();
        var dead = await DeadLetterWriter.CreateAsync(broker, kafka, partitions: 1);
        var forged = new MessageHeaders().Add("narad-topic", dead.Source).Add("narad-offset", "9000000000000000").Add("narad-writer", "x")
            .Add("narad-released", "9").Add("NARAD-next", "9").Add("tenant", "even");
        await dead.WriteAsync(0, "k", "1", new MessageHeaders(forged).Add("narad-topic", dead.Retry));
        await dead.WriteAsync(0, "k", "2", new MessageHeaders(forged).Add("narad-topic", dead.Source));
        await dead.WriteAsync(0, "k", "3", FailureHeaders.For(forged, isRetryRecord: false, dead.Origin(0), retry: null, due: null, new TimeoutException()));

        var everyone = await kafka.DeadLetters.RedriveAsync(dead.Topic, new RedriveOptions { Target = RedriveTarget.EveryGroup });

        everyone.Sent.Should().Be(2);
        everyone.FirstSkipped.Should().ContainSingle().Which.Reason.Should().Be(SkippedReason.NotAllowed);
        var copies = broker.ReadAll(dead.Source, 2);
        copies.Select(copy => Text(copy.Message.Value)).Should().Equal("2", "3");
        copies.Should().OnlyContain(copy => copy.Message.Headers.Select(header => header.Key).SequenceEqual(new[] { "tenant", "narad-redriven" }));
        (await kafka.DeadLetters.CountAsync(dead.Retry)).Should().Be(0);
        (await kafka.DeadLetters.RedriveAsync(dead.Topic)).Sent.Should().Be(1);
        broker.ReadAll(dead.Retry, 1).Single().Message.Headers.Count(header => header.Key == "narad-topic").Should().Be(1);
    }

    [SkippableFact]
    public async Task What_a_group_adopted_from_its_retry_topic_goes_back_there_and_stops_nothing_behind_it()
    {
        await using var kafka = Service(static options => options.TopicCreation = TopicCreation.IfMissing);
        var dead = await DeadLetterWriter.CreateAsync(broker, kafka, partitions: 1);
        await dead.WriteAsync(1);
        await dead.WriteAsync(0, "k", "1", FailureHeaders.For([], isRetryRecord: false, dead.Origin(1) with { Topic = dead.Retry }, retry: 3, due: null,
            new TimeoutException()));
        await dead.WriteAsync(1, from: 2);

        (await kafka.DeadLetters.RedriveAsync(dead.Topic)).Sent.Should().Be(3);

        dead.Numbers(dead.Retry, 3).Should().Equal(0, 1, 2);
        (await kafka.Topics.GetPartitionCountsAsync([dead.Retry + "-retry"])).Should().BeEmpty();
    }

    [SkippableFact]
    public async Task The_group_that_failed_handles_it_again_and_another_group_does_not()
    {
        var topic = await broker.CreateTopicAsync(2);
        var (billing, mail) = (broker.NewGroup(), broker.NewGroup());
        var (outage, billed, mailed) = (true, new ConcurrentQueue<(string, int)>(), new ConcurrentQueue<string>());
        await using var kafka = await broker.StartAsync(billing, static options => options.TopicCreation = TopicCreation.IfMissing);
        await kafka.ConnectConsumerAsync(mail);
        await kafka.SubscribeAsync<string>(
            topic,
            (message, context, _) =>
            {
                if (outage)
                {
                    throw new TimeoutException("no answer");
                }

                billed.Enqueue((message, context.Partition));
                return Task.CompletedTask;
            },
            billing,
            static s => s.DeadLetter.Enabled = true);
        await kafka.SubscribeAsync<string>(
            topic,
            (message, _, _) =>
            {
                mailed.Enqueue(message);
                return Task.CompletedTask;
            },
            mail,
            static s => s.DeadLetter.Enabled = true);
        await broker.SendAsync(topic, 1, 5);
        await broker.CommittedReaches(billing, topic, 1, 5);
        await broker.CommittedReaches(mail, topic, 1, 5);
        outage = false;

        (await kafka.DeadLetters.RedriveAsync($"{topic}-dlt", new RedriveOptions { Filter = new DeadLetterFilter { Group = billing } })).Sent.Should().Be(5);

        await Waiting.Until(() => billed.Count == 5, "the group handles them again");
        billed.Select(message => message.Item1).Should().BeEquivalentTo("0", "1", "2", "3", "4");
        await Waiting.Until(() => broker.Committed($"{mail}-retry", $"{topic}-retry", 1) == 5, "the other group has passed them by");
        mailed.Should().HaveCount(5);
        (await kafka.DeadLetters.CountAsync($"{topic}-dlt")).Should().Be(5);
    }

    [SkippableFact]
    public async Task Cancelled_halfway_and_asked_for_again_none_is_missing_and_at_most_one_batch_is_sent_twice()
    {
        await using var kafka = Service();
        var dead = await DeadLetterWriter.CreateAsync(broker, kafka);
        await dead.WriteAsync(100);
        var options = new RedriveOptions { BatchSize = 7 };
        var interruptions = 0;
        for (var done = false; !done;)
        {
            using var cancelling = new CancellationTokenSource();
            try
            {
                // Each time a little later, in the middle of a batch.
                var wanted = 10 + (5 * interruptions);
                var taken = 0;
                await kafka.DeadLetters.RedriveAsync(
                    dead.Topic,
                    options with
                    {
                        Name = "halves",
                        Filter = new DeadLetterFilter
                        {
                            Where = _ =>
                            {
                                if (++taken == wanted)
                                {
                                    cancelling.Cancel();
                                }

                                return true;
                            },
                        },
                    },
                    cancellationToken: cancelling.Token);
                done = true;
            }
            catch (OperationCanceledException)
            {
                interruptions++;
            }
        }

        interruptions.Should().BeGreaterThan(2);
        var copies = dead.Numbers(dead.Retry, 100);
        copies.Distinct().Should().HaveCount(100);
        copies.Count.Should().BeLessThanOrEqualTo(100 + (interruptions * options.BatchSize));
    }

    [SkippableFact]
    public async Task It_tells_how_far_it_is_after_each_batch_and_ends_at_the_end_as_it_was_when_it_began()
    {
        await using var kafka = Service();
        var dead = await DeadLetterWriter.CreateAsync(broker, kafka, partitions: 2);
        await dead.WriteAsync(10);
        var meanwhile = 9;   // odd numbers: the partition that is read last
        var seen = new Progress { Then = _ => dead.WriteAsync(1, from: meanwhile += 2).GetAwaiter().GetResult() };

        var report = await kafka.DeadLetters.RedriveAsync(dead.Topic, new RedriveOptions { BatchSize = 4 }, seen);

        report.Sent.Should().Be(10);
        seen.All.Should().Equal(new RedriveProgress(4, 0, 0, 6), new RedriveProgress(5, 0, 0, 5), new RedriveProgress(9, 0, 0, 1),
            new RedriveProgress(10, 0, 0, 0));
        (await kafka.DeadLetters.RedriveAsync(dead.Topic)).Sent.Should().Be(4);
    }

    [SkippableFact]
    public async Task No_more_are_sent_in_a_second_than_is_said()
    {
        await using var kafka = Service();
        var dead = await DeadLetterWriter.CreateAsync(broker, kafka);
        await dead.WriteAsync(15);
        var watch = Stopwatch.StartNew();

        (await kafka.DeadLetters.RedriveAsync(dead.Topic, new RedriveOptions { MaxPerSecond = 20 })).Sent.Should().Be(15);

        watch.Elapsed.Should().BeGreaterThan(TimeSpan.FromSeconds(0.69)).And.BeLessThan(TimeSpan.FromSeconds(15));
    }

    [SkippableFact]
    public async Task Two_of_the_same_name_are_refused_in_one_process_and_of_two_in_two_one_stops()
    {
        await using var kafka = Service();
        await using var other = Service();
        var dead = await DeadLetterWriter.CreateAsync(broker, kafka, partitions: 1);
        await dead.WriteAsync(60);
        var options = new RedriveOptions { BatchSize = 5 };
        var (first, second) = (new Held(), new Held());

        // Each is held after its first batch: the second has noted its own when the first continues.
        var overtaken = Task.Run(() => kafka.DeadLetters.RedriveAsync(dead.Topic, options, first));
        await first.Reached.Task.WaitAsync(Waiting.Deadline);
        await kafka.DeadLetters.Awaiting(letters => letters.RedriveAsync(dead.Topic, options)).Should().ThrowAsync<InvalidOperationException>()
            .WithMessage("*same name in this process*");
        var overtaking = Task.Run(() => other.DeadLetters.RedriveAsync(dead.Topic, options, second));
        await second.Reached.Task.WaitAsync(Waiting.Deadline);
        first.GoOn.Set();

        await FluentActions.Awaiting(() => overtaken).Should().ThrowAsync<InvalidOperationException>().WithMessage("*same name*progress*moved*");
        second.GoOn.Set();
        (await overtaking).Sent.Should().Be(55);
        dead.Numbers(dead.Retry, 65).Should().Equal(Enumerable.Range(0, 60).Concat(Enumerable.Range(5, 5)).Order());
    }

    [SkippableFact]
    public async Task Options_that_cannot_be_meant_are_refused()
    {
        await using var kafka = Service();
        var dead = await DeadLetterWriter.CreateAsync(broker, kafka);
        RedriveOptions[] wrong =
        [
            new() { BatchSize = 0 }, new() { BatchSize = 10_001 }, new() { MaxPerSecond = 0 }, new() { MaxPerSecond = double.NaN },
                new() { MaxPerSecond = -1 }, new() { Target = (RedriveTarget)7 },
            new() { RetryTopic = "not legal" }, new() { RetryTopic = "t", Target = RedriveTarget.EveryGroup },
                new() { Name = "" , Filter = new DeadLetterFilter { HeaderValue = "x" } }, new() { Name = "a\nb" },
        ];
        foreach (var options in wrong)
        {
            await kafka.DeadLetters.Awaiting(letters => letters.RedriveAsync(dead.Topic, options)).Should().ThrowAsync<ArgumentException>("{0}", options);
        }
    }

    protected static string? Text(byte[]? bytes) => bytes is null ? null : Encoding.UTF8.GetString(bytes);

    protected KafkaService Service(Action<KafkaOptions>? configure = null) => new(broker.Options(configure));

    /// <summary>Holds a redrive after its first batch until it may continue.</summary>
    protected sealed class Held : IProgress<RedriveProgress>
    {
        public TaskCompletionSource Reached { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public ManualResetEventSlim GoOn { get; } = new();

        public void Report(RedriveProgress value)
        {
            if (Reached.TrySetResult())
            {
                GoOn.Wait(Waiting.Deadline).Should().BeTrue();
            }
        }
    }

    /// <summary>Progress as it was told, on the redrive's own thread.</summary>
    protected sealed class Progress : IProgress<RedriveProgress>
    {
        private readonly ConcurrentQueue<RedriveProgress> _all = new();

        public IReadOnlyList<RedriveProgress> All => [.. _all];

        public RedriveProgress Latest => _all.Last();

        public Action<RedriveProgress> Then { get; init; } = _ => { };

        public void Report(RedriveProgress value)
        {
            _all.Enqueue(value);
            Then(value);
        }
    }
}

public sealed class RedriveOnEmbedded(EmbeddedTestBroker broker) : RedriveContract<EmbeddedTestBroker>(broker)
{
    private readonly EmbeddedTestBroker _broker = broker;

    [Fact]
    public async Task A_crash_between_sending_a_batch_and_noting_it_sends_that_batch_twice_and_no_other()
    {
        await using var kafka = Service(static options => options.ConnectTimeout = TimeSpan.FromSeconds(1));
        var dead = await DeadLetterWriter.CreateAsync(_broker, kafka, partitions: 1);
        await dead.WriteAsync(50);
        var options = new RedriveOptions { BatchSize = 10 };
        var cut = new Progress
        {
            Then = progress =>
            {
                if (progress.Sent == 20)
                {
                    _broker.Broker.FailNext(KafkaRequest.OffsetCommit, [.. Enumerable.Repeat(ErrorCode.GroupAuthorizationFailed, 100)]);
                }
            },
        };

        (await kafka.DeadLetters.Awaiting(letters => letters.RedriveAsync(dead.Topic, options, cut)).Should().ThrowAsync<KafkaTopicException>())
            .WithMessage($"*{dead.Topic}-redrive-group*could not be noted*");
        _broker.Broker.ClearFailures(KafkaRequest.OffsetCommit);
        (await kafka.DeadLetters.RedriveAsync(dead.Topic, options)).Sent.Should().Be(30);

        dead.Numbers(dead.Retry, 60).Should().Equal(Enumerable.Range(0, 50).Concat(Enumerable.Range(20, 10)).Order());
    }

    [Fact]
    public async Task While_copies_cannot_be_published_nothing_is_noted_and_afterwards_none_is_missing()
    {
        await using var kafka = Service(static options => options.ConnectTimeout = TimeSpan.FromSeconds(2));
        var dead = await DeadLetterWriter.CreateAsync(_broker, kafka, partitions: 1);
        await dead.WriteAsync(50);
        var options = new RedriveOptions { BatchSize = 10 };
        Func<Task>? end = null;
        var cut = new Progress { Then = progress => end ??= progress.Sent == 20 ? _broker.RefuseWritesAsync(dead.Retry).GetAwaiter().GetResult() : null };

        (await kafka.DeadLetters.Awaiting(letters => letters.RedriveAsync(dead.Topic, options, cut)).Should().ThrowAsync<KafkaSendException>())
            .Which.Topic.Should().Be(dead.Retry);
        (await kafka.Topics.GetCommittedOffsetsAsync($"{dead.Topic}-redrive-group", dead.Topic))[new TopicPartitionId(dead.Topic, 0)].Should().Be(20);
        await end!();
        for (var started = Stopwatch.GetTimestamp(); ;)
        {
            try
            {
                await kafka.DeadLetters.RedriveAsync(dead.Topic, options);
                break;
            }
            catch (KafkaSendException) when (Stopwatch.GetElapsedTime(started) < Waiting.Deadline)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(50));   // the client remembers for a moment that it was refused
            }
        }

        // A batch whose offsets could not be committed any more in an attempt that was refused goes again.
        dead.Numbers(dead.Retry, 50).Distinct().Should().Equal(Enumerable.Range(0, 50));
    }

    [Fact]
    public async Task In_Console_there_are_none_and_nothing_is_sent_or_deleted()
    {
        await using var kafka = new KafkaService(new KafkaOptions { Mode = KafkaMode.Console });
        await foreach (var letter in kafka.DeadLetters.BrowseAsync("orders-dlt"))
        {
            letter.Should().BeNull();
        }

        (await kafka.DeadLetters.GetPageAsync("orders-dlt")).Items.Should().BeEmpty();
        (await kafka.DeadLetters.CountAsync("orders-dlt")).Should().Be(0);
        (await kafka.DeadLetters.GetAsync(new TopicPartitionOffsetId("orders-dlt", 0, 0))).Should().BeNull();
        await kafka.DeadLetters.Awaiting(letters => letters.RedriveAsync("orders-dlt")).Should().ThrowAsync<NotSupportedException>().WithMessage("*Console*");
        await kafka.DeadLetters.Awaiting(letters => letters.DeleteAllAsync("orders-dlt")).Should().ThrowAsync<NotSupportedException>().WithMessage("*Console*");
        await kafka.DeadLetters.Awaiting(letters => letters.DeleteAsync("orders-dlt", new Dictionary<TopicPartitionId, long> { [new("orders-dlt", 0)] = 1 }))
            .Should().ThrowAsync<NotSupportedException>().WithMessage("*Console*");
    }

    [Fact]
    [Trait("Trap", "mock-administration-hangs")]
    public async Task Another_process_s_embedded_broker_is_read_and_redriven_and_deletes_nothing()
    {
        await using var kafka = Service();
        var dead = await DeadLetterWriter.CreateAsync(_broker, kafka);
        await dead.WriteAsync(6);
        await using var other = new KafkaService(new KafkaOptions { Mode = KafkaMode.Kafka, Brokers = _broker.Brokers });

        (await other.DeadLetters.CountAsync(dead.Topic, new DeadLetterFilter { Group = "billing" })).Should().Be(6);
        (await other.DeadLetters.RedriveAsync(dead.Topic)).Sent.Should().Be(6);
        await other.DeadLetters.Awaiting(letters => letters.DeleteAllAsync(dead.Topic)).Should().ThrowAsync<NotSupportedException>()
            .WithMessage($"*{dead.Topic}*embedded broker*");
    }
}

public sealed class RedriveOnKafka(KafkaTestBroker broker) : RedriveContract<KafkaTestBroker>(broker)
{
    private readonly KafkaTestBroker _broker = broker;

    [SkippableFact]
    public async Task Where_a_retry_topic_is_missing_and_may_not_be_created_the_dead_letters_are_passed_over_and_it_is_named()
    {
        await using var kafka = Service();
        var (dead, other) = (await DeadLetterWriter.CreateAsync(_broker, kafka, partitions: 1),
            await DeadLetterWriter.CreateAsync(_broker, kafka, partitions: 4, retry: false));
        await dead.WriteAsync(1);
        await dead.WriteAsync(0, "k", "x", FailureHeaders.For([], isRetryRecord: false, other.Origin(0), retry: null, due: null, new TimeoutException()));
        await dead.WriteAsync(1, from: 2);

        foreach (var dryRun in new[] { true, false })
        {
            var report = await kafka.DeadLetters.RedriveAsync(dead.Topic, new RedriveOptions { DryRun = dryRun, SourceTopics = [other.Source] });
            report.Sent.Should().Be(2, "what is behind it continues");
            report.Skipped.Should().Equal(new Dictionary<SkippedReason, long> { [SkippedReason.NoRetryTopic] = 1 });
            report.FirstSkipped.Should().ContainSingle().Which.Explanation.Should()
                .Match($"retry topic '{other.Retry}' does not exist. Create it with 4 partition(s)*TopicCreation*");
        }

        dead.Numbers(dead.Retry, 2).Should().Equal(0, 2);
    }

    [SkippableFact]
    public async Task A_group_of_the_next_protocol_s_service_redrives_too()
    {
        await using var kafka = Service(static options => options.GroupProtocol = KafkaGroupProtocol.Consumer);
        var dead = await DeadLetterWriter.CreateAsync(_broker, kafka);
        await dead.WriteAsync(6);

        (await kafka.DeadLetters.RedriveAsync(dead.Topic)).Sent.Should().Be(6);
        (await kafka.DeadLetters.RedriveAsync(dead.Topic)).Sent.Should().Be(0);
    }

    [SkippableFact]
    public async Task Where_who_sent_it_makes_a_copy_too_large_that_is_left_out_and_what_is_too_large_all_the_same_stays_and_is_counted()
    {
        await using var kafka = Service(static options => options.ClientId = new string('c', 249));
        var dead = await DeadLetterWriter.CreateAsync(_broker, kafka, partitions: 1, retry: false);
        await kafka.Topics.CreateIfNotExistsAsync([new TopicSpec(dead.Retry, 1, Settings: new Dictionary<string, string> { ["max.message.bytes"] = "4096" })]);
        var headers = FailureHeaders.For([], isRetryRecord: false, dead.Origin(0), retry: null, due: null, new TimeoutException());
        foreach (var length in new[] { 10, 3_650, 5_000, 11 })
        {
            await dead.WriteAsync(0, "k", new string('x', length), headers);
        }

        var report = await kafka.DeadLetters.RedriveAsync(dead.Topic);

        report.Sent.Should().Be(3);
        report.Skipped.Should().Equal(new Dictionary<SkippedReason, long> { [SkippedReason.TooLarge] = 1 });
        var copies = _broker.ReadAll(dead.Retry, 3);
        copies.Select(copy => copy.Message.Value!.Length).Should().BeEquivalentTo([10, 3_650, 11]);
        copies.Where(copy => copy.Message.Headers.All(header => header.Key != "narad-redriven")).Should().ContainSingle().Which.Message.Value!.Should()
            .HaveCount(3_650);
        copies.Should().OnlyContain(copy => Text(copy.Message.Headers.GetLastBytes("narad-topic")) == dead.Source);
    }
}
